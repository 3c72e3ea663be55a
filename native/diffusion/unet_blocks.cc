#include "diffusion/unet_blocks.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/silu.h>

#include <cmath>

namespace musicldm::diffusion {

at::Tensor timestep_sinusoid(const at::Tensor& timesteps, int64_t width, bool cosines_first,
                             double frequency_shift) {
  const int64_t half = width / 2;
  const auto index = at::arange(half, timesteps.options().dtype(at::kFloat));
  const auto exponent = index * -std::log(10000.0) / (static_cast<double>(half) - frequency_shift);
  const auto angle = timesteps.to(at::kFloat).unsqueeze(1) * exponent.exp();
  const auto waves = cosines_first ? at::cat({angle.cos(), angle.sin()}, 1)
                                   : at::cat({angle.sin(), angle.cos()}, 1);
  return width % 2 == 0 ? waves : at::constant_pad_nd(waves, {0, 1});
}

TimestepEmbedding::TimestepEmbedding(int64_t in_width, int64_t width)
    : linear_1_(child<nn::Linear>("linear_1", in_width, width)),
      linear_2_(child<nn::Linear>("linear_2", width, width)) {}

at::Tensor TimestepEmbedding::forward(const at::Tensor& sinusoid) const {
  return linear_2_->forward(at::silu(linear_1_->forward(sinusoid)));
}

Attention::Attention(int64_t channels, int64_t heads) {
  const int64_t width = channels / heads * heads;
  const auto query = child<nn::Linear>("to_q", channels, width, false);
  const auto key = child<nn::Linear>("to_k", channels, width, false);
  const auto value = child<nn::Linear>("to_v", channels, width, false);
  mixing_ = std::make_unique<nn::SelfAttention>(query, key, value, heads);
  to_out_ = child<nn::List<nn::Linear>>("to_out");
  to_out_->emplace(width, channels);
}

at::Tensor Attention::forward(const at::Tensor& tokens, const at::Tensor& residual) const {
  return (*to_out_)[0].forward(mixing_->forward(tokens), residual);
}

namespace {

// The published names number the entries of a sequence whose other entries have no parameters.
class GatedProjection : public nn::Block {
 public:
  explicit GatedProjection(int64_t channels)
      : proj(child<nn::Linear>("proj", channels, 8 * channels)) {}
  std::shared_ptr<nn::Linear> proj;
};

class FeedForwardLayers : public nn::Block {
 public:
  explicit FeedForwardLayers(int64_t channels)
      : gated(child<GatedProjection>("0", channels)),
        out(child<nn::Linear>("2", 4 * channels, channels)) {}
  std::shared_ptr<GatedProjection> gated;
  std::shared_ptr<nn::Linear> out;
};

}  // namespace

FeedForward::FeedForward(int64_t channels) {
  const auto net = child<FeedForwardLayers>("net", channels);
  proj_ = net->gated->proj;
  out_ = net->out;
}

at::Tensor FeedForward::forward(const at::Tensor& tokens, const at::Tensor& residual) const {
  return out_->forward(proj_->forward_gated(tokens), residual);
}

TransformerBlock::TransformerBlock(const TransformerOptions& o) {
  constexpr double kEps = 1e-5;
  norm1_ = child<nn::LayerNorm>("norm1", o.channels, kEps);
  attn1_ = child<Attention>("attn1", o.channels, o.heads);
  if (o.second_attention) {
    norm2_ = child<nn::LayerNorm>("norm2", o.channels, kEps);
    attn2_ = child<Attention>("attn2", o.channels, o.heads);
  }
  norm3_ = child<nn::LayerNorm>("norm3", o.channels, kEps);
  ff_ = child<FeedForward>("ff", o.channels);
}

at::Tensor TransformerBlock::forward(const at::Tensor& tokens) const {
  at::Tensor x = attn1_->forward(norm1_->forward(tokens), tokens);
  if (attn2_) x = attn2_->forward(norm2_->forward(x), x);
  return ff_->forward(norm3_->forward(x), x);
}

Transformer2d::Transformer2d(const TransformerOptions& o) {
  constexpr double kEps = 1e-6;
  TransformerOptions inner = o;
  inner.channels = o.channels / o.heads * o.heads;
  norm_ = child<nn::GroupNorm>("norm", o.groups, o.channels, kEps);
  if (o.linear_projection) {
    linear_in_ = child<nn::Linear>("proj_in", o.channels, inner.channels);
  } else {
    proj_in_ = child<nn::Conv2d>("proj_in", nn::Conv2dOptions{o.channels, inner.channels});
  }
  transformer_blocks_ = child<nn::List<TransformerBlock>>("transformer_blocks");
  for (int64_t i = 0; i < o.layers; ++i) transformer_blocks_->emplace(inner);
  if (o.linear_projection) {
    linear_out_ = child<nn::Linear>("proj_out", inner.channels, o.channels);
  } else {
    proj_out_ = child<nn::Conv2d>("proj_out", nn::Conv2dOptions{inner.channels, o.channels});
  }
}

at::Tensor Transformer2d::forward(const at::Tensor& x) const {
  const auto to_tokens = [](const at::Tensor& map) { return map.flatten(2).transpose(1, 2); };
  const auto to_map = [&](const at::Tensor& tokens) {
    return tokens.transpose(1, 2).unflatten(2, {x.size(2), x.size(3)});
  };
  at::Tensor hidden = proj_in_ ? to_tokens(proj_in_->forward(x, {.norm = norm_.get()}))
                               : linear_in_->forward(to_tokens(norm_->forward(x)));
  hidden = hidden.contiguous();  // [B, T * F, C]
  for (const auto& block : *transformer_blocks_) hidden = block->forward(hidden);
  if (linear_out_) return to_map(linear_out_->forward(hidden)) + x;
  return proj_out_->forward(to_map(hidden), {.residual = x});
}

Downsample::Downsample(int64_t channels, int64_t padding) {
  const nn::Padding2d sides =
      padding == 0 ? nn::Padding2d{.bottom = 1, .right = 1} : nn::Padding2d::same(padding);
  conv_ = child<nn::Conv2d>("conv", nn::Conv2dOptions{channels, channels, 3, 2, sides});
}

at::Tensor Downsample::forward(const at::Tensor& x) const { return conv_->forward(x); }

Upsample::Upsample(int64_t channels)
    : conv_(child<nn::Conv2d>(
          "conv", nn::Conv2dOptions{channels, channels, 3, 1, nn::Padding2d::same(1)})) {}

at::Tensor Upsample::forward(const at::Tensor& x, at::IntArrayRef size) const {
  return conv_->forward(x, {.size = {size[0], size[1]}});
}

}  // namespace musicldm::diffusion
