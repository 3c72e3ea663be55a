#include "clap/clip_text.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/sigmoid.h>

#include <cmath>

#include "nn/attention.h"
#include "runtime/cancel.h"

namespace musicldm::clap {

namespace {

constexpr double kEps = 1e-5;

at::Tensor unfilled(at::IntArrayRef shape) {
  return at::empty(shape, at::TensorOptions(at::kMeta).dtype(at::kFloat));
}

nn::Init normal(double std) { return {nn::Init::Kind::kNormal, std}; }

}  // namespace

ClipAttention::ClipAttention(const ClipTextConfig& c)
    : heads_(c.heads),
      out_proj_(register_module("out_proj", std::make_shared<nn::Linear>(c.width, c.width))) {
  weight = register_parameter("in_proj_weight", unfilled({3 * c.width, c.width}), false);
  bias = register_parameter("in_proj_bias", unfilled({3 * c.width}), false);
}

at::Tensor ClipAttention::project(const at::Tensor& x) const {
  if (nn::runs_packed({x, weight, bias})) return packed_.forward(x, {weight}, bias);
  return at::linear(x, weight, bias);
}

at::Tensor ClipAttention::forward(const at::Tensor& x, const at::Tensor& residual) const {
  return out_proj_->forward(nn::attend(project(x), heads_, {.causal = true}), residual);
}

ClipMlp::ClipMlp(const ClipTextConfig& c)
    : quick_gelu_(c.quick_gelu),
      c_fc_(child<nn::Linear>("c_fc", c.width, 4 * c.width)),
      c_proj_(child<nn::Linear>("c_proj", 4 * c.width, c.width)) {}

at::Tensor ClipMlp::forward(const at::Tensor& x, const at::Tensor& residual) const {
  const at::Tensor inner = c_fc_->forward(x);  // [B, N, 4C]
  return c_proj_->forward(quick_gelu_ ? inner * at::sigmoid(inner * 1.702) : at::gelu(inner),
                          residual);
}

ClipBlock::ClipBlock(const ClipTextConfig& c)
    : attn_(child<ClipAttention>("attn", c)),
      ln_1_(child<nn::LayerNorm>("ln_1", c.width, kEps)),
      mlp_(child<ClipMlp>("mlp", c)),
      ln_2_(child<nn::LayerNorm>("ln_2", c.width, kEps)) {
  set_initialisers(c);
}

void ClipBlock::set_initialisers(const ClipTextConfig& c) {
  const auto width = static_cast<double>(c.width);
  const double into_sum = 1 / std::sqrt(width * 2 * static_cast<double>(c.layers));
  attn_->weight_init = normal(1 / std::sqrt(width));
  attn_->out_proj().weight_init = normal(into_sum);
  attn_->bias_init = attn_->out_proj().bias_init = {};
  mlp_->c_fc().weight_init = normal(1 / std::sqrt(2 * width));
  mlp_->c_proj().weight_init = normal(into_sum);
}

at::Tensor ClipBlock::forward(const at::Tensor& x) const {
  const at::Tensor attended = attn_->forward(ln_1_->forward(x), x);
  return mlp_->forward(ln_2_->forward(attended), attended);
}

ClipTextModel::ClipTextModel(const ClipTextConfig& c)
    : config_(c),
      token_embedding_(register_module("token_embedding",
                                       std::make_shared<nn::Embedding>(c.vocab_size, c.width))),
      resblocks_(register_module("resblocks", std::make_shared<nn::List<ClipBlock>>())),
      ln_final_(register_module("ln_final", std::make_shared<nn::LayerNorm>(c.width, kEps))) {
  weight = register_parameter("positional_embedding", unfilled({c.context_length, c.width}), false);
  weight_init = normal(0.01);
  token_embedding_->weight_init = normal(0.02);
  for (int64_t i = 0; i < c.layers; ++i) resblocks_->emplace(c);
}

TextModel::Output ClipTextModel::forward(const at::Tensor& ids, const at::Tensor&) const {
  at::Tensor x = token_embedding_->forward(ids) + weight.narrow(0, 0, ids.size(1));  // [B, N, C]
  for (const auto& block : *resblocks_) {
    runtime::throw_if_cancelled();
    x = block->forward(x);
  }
  x = ln_final_->forward(x);
  const at::Tensor end = ids.argmax(1).view({-1, 1, 1}).expand({-1, 1, x.size(2)});
  return {x, x.gather(1, end).squeeze(1)};
}

TextModel::Limits ClipTextModel::limits() const {
  return {config_.vocab_size, config_.context_length, config_.width};
}

}  // namespace musicldm::clap
