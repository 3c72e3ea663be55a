// Blocks of diffusers' AutoencoderKL. Time is H and frequency is W: [B, C, T, F].
#pragma once

#include <memory>

#include "nn/attention.h"
#include "nn/block.h"
#include "nn/layers.h"
#include "nn/list.h"
#include "nn/resnet_block.h"

namespace musicldm::latent {

// One head over all T·F positions, with memory linear in their number.
class Attention : public nn::Block {
 public:
  Attention(int64_t channels, int64_t norm_groups);
  at::Tensor forward(const at::Tensor& x) const;  // [B, C, T, F], residual added

 private:
  std::shared_ptr<nn::GroupNorm> group_norm_;
  std::unique_ptr<nn::SelfAttention> mixing_;
  std::shared_ptr<nn::List<nn::Linear>> to_out_;
};

class MidBlock : public nn::Block {
 public:
  MidBlock(int64_t channels, int64_t norm_groups, bool with_attention);
  at::Tensor forward(at::Tensor x) const;  // [B, C, T, F]

 private:
  std::shared_ptr<nn::List<nn::ResnetBlock>> resnets_;
  std::shared_ptr<nn::List<Attention>> attentions_;
};

class Downsample : public nn::Block {
 public:
  explicit Downsample(int64_t channels);
  at::Tensor forward(const at::Tensor& x) const;  // [B, C, T, F] -> [B, C, T/2, F/2]

 private:
  std::shared_ptr<nn::Conv2d> conv_;
};

class Upsample : public nn::Block {
 public:
  explicit Upsample(int64_t channels);
  at::Tensor forward(const at::Tensor& x) const;  // [B, C, T, F] -> [B, C, 2T, 2F]

 private:
  std::shared_ptr<nn::Conv2d> conv_;
};

struct LevelOptions {
  int64_t in_channels = 0;
  int64_t out_channels = 0;
  int64_t resnets = 0;
  int64_t norm_groups = 0;
  bool resample = false;
};

class DownBlock : public nn::Block {
 public:
  explicit DownBlock(const LevelOptions& options);
  at::Tensor forward(at::Tensor x) const;  // [B, in, T, F] -> [B, out, T or T/2, F or F/2]

 private:
  std::shared_ptr<nn::List<nn::ResnetBlock>> resnets_;
  std::shared_ptr<nn::List<Downsample>> downsamplers_;
};

class UpBlock : public nn::Block {
 public:
  explicit UpBlock(const LevelOptions& options);
  at::Tensor forward(at::Tensor x) const;  // [B, in, T, F] -> [B, out, T or 2T, F or 2F]

 private:
  std::shared_ptr<nn::List<nn::ResnetBlock>> resnets_;
  std::shared_ptr<nn::List<Upsample>> upsamplers_;
};

// A convolution 3×3 that keeps the size.
nn::Conv2dOptions same_conv(int64_t in_channels, int64_t out_channels);

// The eps of every norm in the autoencoder.
inline constexpr double kNormEps = 1e-6;

}  // namespace musicldm::latent
