// Blocks of the UNet under diffusers' names: time embedding, attention, transformer, resampling.
#pragma once

#include "nn/attention.h"
#include "nn/block.h"
#include "nn/layers.h"
#include "nn/list.h"

namespace musicldm::diffusion {

// timesteps [N] -> [N, width]: cosines (or sines) first, then the other half; the frequencies are
// 10000^(-i / (width / 2 - shift)).
at::Tensor timestep_sinusoid(const at::Tensor& timesteps, int64_t width, bool cosines_first,
                             double frequency_shift);

class TimestepEmbedding : public nn::Block {
 public:
  TimestepEmbedding(int64_t in_width, int64_t width);
  at::Tensor forward(const at::Tensor& sinusoid) const;  // [N, in] -> [N, width]

 private:
  std::shared_ptr<nn::Linear> linear_1_;
  std::shared_ptr<nn::Linear> linear_2_;
};

// Self-attention; q, k and v have no bias.
class Attention : public nn::Block {
 public:
  Attention(int64_t channels, int64_t heads);
  // [B, N, C] -> [B, N, C], to which `residual` is added
  at::Tensor forward(const at::Tensor& tokens, const at::Tensor& residual) const;

 private:
  std::unique_ptr<nn::SelfAttention> mixing_;
  std::shared_ptr<nn::List<nn::Linear>> to_out_;
};

// Linear to twice 4C, of which the second half gates the first through exact GELU; linear back.
class FeedForward : public nn::Block {
 public:
  explicit FeedForward(int64_t channels);
  // [B, N, C] -> [B, N, C], to which `residual` is added
  at::Tensor forward(const at::Tensor& tokens, const at::Tensor& residual) const;

 private:
  std::shared_ptr<nn::Linear> proj_;  // net.0.proj
  std::shared_ptr<nn::Linear> out_;   // net.2
};

struct TransformerOptions {
  int64_t channels = 0;
  int64_t heads = 1;
  int64_t layers = 1;
  int64_t groups = 32;
  bool second_attention = true;  // attn2, which attends to its own input
  bool linear_projection = false;
};

class TransformerBlock : public nn::Block {
 public:
  explicit TransformerBlock(const TransformerOptions& options);
  at::Tensor forward(const at::Tensor& tokens) const;  // [B, N, C] -> [B, N, C]

 private:
  std::shared_ptr<nn::LayerNorm> norm1_;
  std::shared_ptr<Attention> attn1_;
  std::shared_ptr<nn::LayerNorm> norm2_;  // null without a second attention
  std::shared_ptr<Attention> attn2_;
  std::shared_ptr<nn::LayerNorm> norm3_;
  std::shared_ptr<FeedForward> ff_;
};

// Transformer over all positions of a map, time-major, around which the map is a residual.
class Transformer2d : public nn::Block {
 public:
  explicit Transformer2d(const TransformerOptions& options);
  at::Tensor forward(const at::Tensor& x) const;  // [B, C, T, F] -> [B, C, T, F]

 private:
  std::shared_ptr<nn::GroupNorm> norm_;
  std::shared_ptr<nn::Conv2d> proj_in_;  // one pair of the two is there
  std::shared_ptr<nn::Linear> linear_in_;
  std::shared_ptr<nn::List<TransformerBlock>> transformer_blocks_;
  std::shared_ptr<nn::Conv2d> proj_out_;
  std::shared_ptr<nn::Linear> linear_out_;
};

class Downsample : public nn::Block {
 public:
  Downsample(int64_t channels, int64_t padding);
  at::Tensor forward(const at::Tensor& x) const;  // [B, C, T, F] -> [B, C, ceil(T/2), ceil(F/2)]

 private:
  std::shared_ptr<nn::Conv2d> conv_;
};

class Upsample : public nn::Block {
 public:
  explicit Upsample(int64_t channels);
  // Nearest neighbour to the given size, then a convolution.
  at::Tensor forward(const at::Tensor& x, at::IntArrayRef size) const;

 private:
  std::shared_ptr<nn::Conv2d> conv_;
};

}  // namespace musicldm::diffusion
