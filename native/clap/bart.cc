#include "clap/bart.h"

#include <ATen/ops/gelu.h>

#include <cmath>

#include "runtime/cancel.h"

namespace musicldm::clap {

namespace {

constexpr double kEps = 1e-5;
constexpr int64_t kFirstPosition = 2;

}  // namespace

BartAttention::BartAttention(const BartConfig& c)
    : heads_(c.encoder_attention_heads),
      k_proj_(child<nn::Linear>("k_proj", c.d_model, c.d_model)),
      v_proj_(child<nn::Linear>("v_proj", c.d_model, c.d_model)),
      q_proj_(child<nn::Linear>("q_proj", c.d_model, c.d_model)),
      out_proj_(child<nn::Linear>("out_proj", c.d_model, c.d_model)),
      dropout_(child<nn::Dropout>("dropout", c.attention_dropout)) {}

at::Tensor BartAttention::forward(const at::Tensor& x, const at::Tensor& keys) const {
  return TextAttentionLayers{q_proj_, k_proj_, v_proj_, *dropout_, heads_}.forward(x, keys);
}

BartLayer::BartLayer(const BartConfig& c)
    : self_attn_(child<BartAttention>("self_attn", c)),
      self_attn_layer_norm_(child<nn::LayerNorm>("self_attn_layer_norm", c.d_model, kEps)),
      fc1_(child<nn::Linear>("fc1", c.d_model, c.encoder_ffn_dim)),
      fc2_(child<nn::Linear>("fc2", c.encoder_ffn_dim, c.d_model)),
      final_layer_norm_(child<nn::LayerNorm>("final_layer_norm", c.d_model, kEps)),
      dropout_(child<nn::Dropout>("dropout", c.dropout)),
      activation_dropout_(child<nn::Dropout>("activation_dropout", c.activation_dropout)) {}

at::Tensor BartLayer::add(const nn::Linear& last, const at::Tensor& x,
                          const at::Tensor& start) const {
  if (!dropout_->active()) return last.forward(x, start);
  return dropout_->forward(last.forward(x)).add_(start);
}

at::Tensor BartLayer::forward(const at::Tensor& x, const at::Tensor& keys) const {
  at::Tensor y = add(self_attn_->out_proj(), self_attn_->forward(x, keys), x);
  y = self_attn_layer_norm_->forward(y);
  const at::Tensor inner = activation_dropout_->forward(at::gelu(fc1_->forward(y)));
  return final_layer_norm_->forward(add(*fc2_, inner, y));
}

BartEncoder::BartEncoder(const BartConfig& c)
    : embed_positions_(child<nn::Embedding>("embed_positions",
                                            c.max_position_embeddings + kFirstPosition, c.d_model)),
      layers_(child<nn::List<BartLayer>>("layers")),
      layernorm_embedding_(child<nn::LayerNorm>("layernorm_embedding", c.d_model, kEps)),
      dropout_(child<nn::Dropout>("dropout", c.dropout)) {
  for (int64_t i = 0; i < c.encoder_layers; ++i) layers_->emplace(c);
}

at::Tensor BartEncoder::forward(at::Tensor x, const at::Tensor& keys) const {
  x = x + embed_positions_->weight.narrow(0, kFirstPosition, x.size(1));
  x = dropout_->forward(layernorm_embedding_->forward(x));
  for (const auto& layer : *layers_) {
    runtime::throw_if_cancelled();
    x = layer->forward(x, keys);
  }
  return x;
}

BartModel::BartModel(const BartConfig& c)
    : config_(c),
      shared_(child<nn::Embedding>("shared", c.vocab_size, c.d_model, c.pad_token_id)),
      encoder_(child<BartEncoder>("encoder", c)) {
  start_normal(*this, c.init_std, c.init_std);
}

TextModel::Output BartModel::forward(const at::Tensor& ids, const at::Tensor& mask) const {
  at::Tensor words = shared_->forward(ids);
  if (config_.scale_embedding) words = words * std::sqrt(static_cast<double>(config_.d_model));
  const at::Tensor hidden = encoder_->forward(words, visible_keys(mask));
  return {hidden, hidden.mean(1)};
}

TextModel::Limits BartModel::limits() const {
  return {config_.vocab_size, config_.max_position_embeddings, config_.d_model};
}

}  // namespace musicldm::clap
