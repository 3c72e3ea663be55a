#include "clap/bert.h"

#include <ATen/ops/gelu.h>
#include <ATen/ops/tanh.h>

#include "runtime/cancel.h"

namespace musicldm::clap {

BertEmbeddings::BertEmbeddings(const BertConfig& c)
    : pad_token_id_(c.pad_token_id), skips_padding_(c.skips_padding) {
  const int64_t width = c.hidden_size;
  dropout_ = child<nn::Dropout>("dropout", c.hidden_dropout_prob);
  word_embeddings_ = child<nn::Embedding>("word_embeddings", c.vocab_size, width, c.pad_token_id);
  token_type_embeddings_ = child<nn::Embedding>("token_type_embeddings", c.type_vocab_size, width);
  layer_norm_ = child<nn::LayerNorm>("LayerNorm", width, c.layer_norm_eps);
  const int64_t padding = c.skips_padding ? c.pad_token_id : -1;
  position_embeddings_ =
      child<nn::Embedding>("position_embeddings", c.max_position_embeddings, width, padding);
}

at::Tensor BertEmbeddings::positions(const at::Tensor& ids) const {
  if (!skips_padding_) return position_embeddings_->weight.narrow(0, 0, ids.size(1)).unsqueeze(0);
  const at::Tensor is_token = ids.ne(pad_token_id_);
  return position_embeddings_->forward(is_token.cumsum(1) * is_token + pad_token_id_);
}

at::Tensor BertEmbeddings::forward(const at::Tensor& ids) const {
  at::Tensor sum = word_embeddings_->forward(ids) + token_type_embeddings_->weight[0];
  sum = sum + positions(ids);
  return dropout_->forward(layer_norm_->forward(sum));  // [B, N, C]
}

BertSelfAttention::BertSelfAttention(const BertConfig& c) : heads_(c.num_attention_heads) {
  query_ = child<nn::Linear>("query", c.hidden_size, c.hidden_size);
  key_ = child<nn::Linear>("key", c.hidden_size, c.hidden_size);
  value_ = child<nn::Linear>("value", c.hidden_size, c.hidden_size);
  dropout_ = child<nn::Dropout>("dropout", c.attention_probs_dropout_prob);
}

at::Tensor BertSelfAttention::forward(const at::Tensor& x, const at::Tensor& keys) const {
  return TextAttentionLayers{query_, key_, value_, *dropout_, heads_}.forward(x, keys);
}

BertResidual::BertResidual(const BertConfig& c, int64_t in_width)
    : dense_(child<nn::Linear>("dense", in_width, c.hidden_size)),
      layer_norm_(child<nn::LayerNorm>("LayerNorm", c.hidden_size, c.layer_norm_eps)),
      dropout_(child<nn::Dropout>("dropout", c.hidden_dropout_prob)) {}

at::Tensor BertResidual::forward(const at::Tensor& x, const at::Tensor& start) const {
  if (!dropout_->active()) return layer_norm_->forward(dense_->forward(x, start));
  return layer_norm_->forward(dropout_->forward(dense_->forward(x)).add_(start));
}

BertAttention::BertAttention(const BertConfig& c)
    : self_(child<BertSelfAttention>("self", c)),
      output_(child<BertResidual>("output", c, c.hidden_size)) {}

at::Tensor BertAttention::forward(const at::Tensor& x, const at::Tensor& keys) const {
  return output_->forward(self_->forward(x, keys), x);
}

BertDense::BertDense(const BertConfig& c, int64_t out_width)
    : dense_(child<nn::Linear>("dense", c.hidden_size, out_width)) {}

BertLayer::BertLayer(const BertConfig& c)
    : attention_(child<BertAttention>("attention", c)),
      intermediate_(child<BertDense>("intermediate", c, c.intermediate_size)),
      output_(child<BertResidual>("output", c, c.intermediate_size)) {}

at::Tensor BertLayer::forward(const at::Tensor& x, const at::Tensor& keys) const {
  const at::Tensor attended = attention_->forward(x, keys);
  return output_->forward(at::gelu(intermediate_->forward(attended)), attended);
}

BertEncoder::BertEncoder(const BertConfig& c) : layer_(child<nn::List<BertLayer>>("layer")) {
  for (int64_t i = 0; i < c.num_hidden_layers; ++i) layer_->emplace(c);
}

at::Tensor BertEncoder::forward(at::Tensor x, const at::Tensor& keys) const {
  for (const auto& layer : *layer_) {
    runtime::throw_if_cancelled();
    x = layer->forward(x, keys);
  }
  return x;
}

BertModel::BertModel(const BertConfig& c)
    : config_(c),
      embeddings_(child<BertEmbeddings>("embeddings", c)),
      encoder_(child<BertEncoder>("encoder", c)),
      pooler_(child<BertDense>("pooler", c, c.hidden_size)) {
  start_normal(*this, c.linear_std, c.embedding_std);
}

TextModel::Output BertModel::forward(const at::Tensor& ids, const at::Tensor& mask) const {
  const at::Tensor hidden = encoder_->forward(embeddings_->forward(ids), visible_keys(mask));
  return {hidden, at::tanh(pooler_->forward(hidden.select(1, 0)))};
}

TextModel::Limits BertModel::limits() const {
  const int64_t first = config_.skips_padding ? config_.pad_token_id + 1 : 0;
  return {config_.vocab_size, config_.max_position_embeddings - first, config_.hidden_size};
}

}  // namespace musicldm::clap
