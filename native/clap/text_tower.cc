#include "clap/text_tower.h"

#include <ATen/ops/gelu.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/tanh.h>

#include <cmath>
#include <limits>
#include <string>

#include "runtime/cancel.h"
#include "runtime/error.h"
#include "runtime/value.h"

namespace musicldm::clap {

namespace {

// What scaled_dot_product_attention weighs the values with: [B, heads, N, N] of the query's dtype,
// computed in float32, 0 where the mask is false.
at::Tensor attention_probabilities(const at::Tensor& query, const at::Tensor& key,
                                   const at::Tensor& mask) {
  const double scale = 1 / std::sqrt(static_cast<double>(query.size(-1)));
  at::Tensor scores = (query * scale).matmul(key.transpose(-2, -1)).to(at::kFloat);
  if (!mask.defined()) return scores.softmax(-1).to(query.scalar_type());
  const at::Tensor hidden = mask.logical_not();
  scores = scores.masked_fill(hidden, std::numeric_limits<float>::lowest());
  return scores.softmax(-1).masked_fill(hidden, 0).to(query.scalar_type());
}

}  // namespace

TextEmbeddings::TextEmbeddings(const TextConfig& c) : pad_token_id_(c.pad_token_id) {
  const int64_t width = c.hidden_size;
  dropout_ = child<nn::Dropout>("dropout", c.hidden_dropout_prob);
  word_embeddings_ = child<nn::Embedding>("word_embeddings", c.vocab_size, width, c.pad_token_id);
  token_type_embeddings_ = child<nn::Embedding>("token_type_embeddings", c.type_vocab_size, width);
  layer_norm_ = child<nn::LayerNorm>("LayerNorm", width, c.layer_norm_eps);
  position_embeddings_ =
      child<nn::Embedding>("position_embeddings", c.max_position_embeddings, width, c.pad_token_id);
}

at::Tensor TextEmbeddings::forward(const at::Tensor& ids) const {
  const at::Tensor is_token = ids.ne(pad_token_id_);
  const at::Tensor positions = is_token.cumsum(1) * is_token + pad_token_id_;
  at::Tensor sum = word_embeddings_->forward(ids) + token_type_embeddings_->weight[0];
  sum = sum + position_embeddings_->forward(positions);
  return dropout_->forward(layer_norm_->forward(sum));  // [B, N, C]
}

TextSelfAttention::TextSelfAttention(const TextConfig& c) : heads_(c.num_attention_heads) {
  query_ = child<nn::Linear>("query", c.hidden_size, c.hidden_size);
  key_ = child<nn::Linear>("key", c.hidden_size, c.hidden_size);
  value_ = child<nn::Linear>("value", c.hidden_size, c.hidden_size);
  dropout_ = child<nn::Dropout>("dropout", c.attention_probs_dropout_prob);
}

at::Tensor TextSelfAttention::forward(const at::Tensor& x, const at::Tensor& mask) const {
  const auto split = [&](const at::Tensor& tokens) {
    return tokens.unflatten(2, {heads_, -1}).transpose(1, 2);  // [B, heads, N, C / heads]
  };
  const at::Tensor query = split(query_->forward(x));
  const at::Tensor key = split(key_->forward(x));
  const at::Tensor value = split(value_->forward(x));
  const auto optional_mask = mask.defined() ? std::optional(mask) : std::nullopt;
  const at::Tensor mixed =
      dropout_->active()
          ? dropout_->forward(attention_probabilities(query, key, mask)).matmul(value)
          : at::scaled_dot_product_attention(query, key, value, optional_mask);
  return mixed.transpose(1, 2).flatten(2);
}

TextResidual::TextResidual(const TextConfig& c, int64_t in_width)
    : dense_(child<nn::Linear>("dense", in_width, c.hidden_size)),
      layer_norm_(child<nn::LayerNorm>("LayerNorm", c.hidden_size, c.layer_norm_eps)),
      dropout_(child<nn::Dropout>("dropout", c.hidden_dropout_prob)) {}

at::Tensor TextResidual::forward(const at::Tensor& x, const at::Tensor& start) const {
  return layer_norm_->forward(dropout_->forward(dense_->forward(x)).add_(start));
}

TextAttention::TextAttention(const TextConfig& c)
    : self_(child<TextSelfAttention>("self", c)),
      output_(child<TextResidual>("output", c, c.hidden_size)) {}

at::Tensor TextAttention::forward(const at::Tensor& x, const at::Tensor& mask) const {
  return output_->forward(self_->forward(x, mask), x);
}

TextDense::TextDense(const TextConfig& c, int64_t out_width)
    : dense_(child<nn::Linear>("dense", c.hidden_size, out_width)) {}

TextLayer::TextLayer(const TextConfig& c)
    : attention_(child<TextAttention>("attention", c)),
      intermediate_(child<TextDense>("intermediate", c, c.intermediate_size)),
      output_(child<TextResidual>("output", c, c.intermediate_size)) {}

at::Tensor TextLayer::forward(const at::Tensor& x, const at::Tensor& mask) const {
  const at::Tensor attended = attention_->forward(x, mask);
  return output_->forward(at::gelu(intermediate_->forward(attended)), attended);
}

TextEncoder::TextEncoder(const TextConfig& c) : layer_(child<nn::List<TextLayer>>("layer")) {
  for (int64_t i = 0; i < c.num_hidden_layers; ++i) layer_->emplace(c);
}

at::Tensor TextEncoder::forward(at::Tensor x, const at::Tensor& mask) const {
  for (const auto& layer : *layer_) {
    runtime::throw_if_cancelled();
    x = layer->forward(x, mask);
  }
  return x;
}

TextModel::TextModel(const TextConfig& c)
    : embeddings_(child<TextEmbeddings>("embeddings", c)),
      encoder_(child<TextEncoder>("encoder", c)),
      pooler_(child<TextDense>("pooler", c, c.hidden_size)) {}

TextModel::Output TextModel::forward(const at::Tensor& ids, const at::Tensor& mask) const {
  at::Tensor keys;  // [B, 1, 1, N]
  if (mask.defined() && !mask.all().item<bool>()) {
    keys = mask.to(at::kBool).unsqueeze(1).unsqueeze(1);
  }
  const at::Tensor hidden = encoder_->forward(embeddings_->forward(ids), keys);
  return {hidden, at::tanh(pooler_->forward(hidden.select(1, 0)))};
}

Projection::Projection(const TextConfig& c)
    : uses_gelu_(c.projection_uses_gelu),
      linear1_(child<nn::Linear>("linear1", c.hidden_size, c.projection_dim)),
      linear2_(child<nn::Linear>("linear2", c.projection_dim, c.projection_dim)) {}

at::Tensor Projection::forward(const at::Tensor& x) const {
  const at::Tensor hidden = linear1_->forward(x);
  return linear2_->forward(uses_gelu_ ? at::gelu(hidden) : at::relu(hidden));
}

TextTower::TextTower(const TextConfig& config)
    : config_(config),
      text_model_(child<TextModel>("text_model", config)),
      text_projection_(child<Projection>("text_projection", config)) {
  set_initialisers();
}

// As ClapPreTrainedModel starts them.
void TextTower::set_initialisers() {
  using Kind = nn::Init::Kind;
  const double factor = config_.initializer_factor;
  const double fan = 2.0 * static_cast<double>(config_.hidden_size * config_.num_hidden_layers);
  apply([&](torch::nn::Module& module) {
    if (auto* linear = dynamic_cast<nn::Linear*>(&module)) {
      linear->weight_init = {Kind::kNormal, factor / std::sqrt(fan)};
      linear->bias_init = {Kind::kConstant, 0};
    } else if (auto* embedding = dynamic_cast<nn::Embedding*>(&module)) {
      embedding->weight_init = {Kind::kNormal, factor * 0.02};
    }
  });
}

TextTower::Output TextTower::forward(const at::Tensor& ids, const at::Tensor& mask) const {
  check(ids, mask);
  const auto [hidden, pooled] = text_model_->forward(ids, mask);
  return {hidden, pooled, text_projection_->forward(pooled)};
}

void TextTower::check(const at::Tensor& ids, const at::Tensor& mask) const {
  if (ids.dim() != 2 || ids.numel() == 0) {
    throw runtime::expected("E_SHAPE", "[batch, tokens]", "ids", runtime::shape_text(ids.sizes()));
  }
  if (mask.defined() && mask.sizes() != ids.sizes()) {
    throw runtime::expected("E_SHAPE", runtime::shape_text(ids.sizes()), "mask",
                            runtime::shape_text(mask.sizes()));
  }
  if (ids.scalar_type() != at::kLong) {
    throw runtime::expected("E_DTYPE", "int64", "ids", runtime::dtype_name(ids.scalar_type()));
  }
  const int64_t longest = config_.max_position_embeddings - config_.pad_token_id - 1;
  if (ids.size(1) > longest) {
    throw runtime::expected("E_ARGUMENT", "at most " + std::to_string(longest) + " tokens", "ids",
                            std::to_string(ids.size(1)));
  }
  const int64_t low = ids.min().item<int64_t>();
  const int64_t high = ids.max().item<int64_t>();
  if (low < 0 || high >= config_.vocab_size) {
    throw runtime::expected("E_ARGUMENT", "0.." + std::to_string(config_.vocab_size - 1), "ids",
                            std::to_string(low < 0 ? low : high));
  }
}

}  // namespace musicldm::clap
