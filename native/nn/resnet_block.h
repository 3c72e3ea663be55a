// The residual block of the UNet and the VAE (diffusers' ResnetBlock2D in its default setting).
#pragma once

#include "nn/block.h"
#include "nn/layers.h"

namespace musicldm::nn {

struct ResnetOptions {
  int64_t in_channels = 0;
  int64_t out_channels = 0;
  int64_t embedding_channels = 0;  // width of the conditioning vector, 0 without one
  int64_t groups = 32;
  double eps = 1e-5;
};

class ResnetBlock : public Block {
 public:
  explicit ResnetBlock(const ResnetOptions& options);
  // x [B, C, T, F], of which `skip` may hold the last channels -> [B, C', T, F]. `activated` [B,
  // embedding_channels] is SiLU of the conditioning vector, which all blocks of a network share;
  // undefined without one.
  at::Tensor forward(const at::Tensor& x, const at::Tensor& activated = {},
                     const at::Tensor& skip = {}) const;

 private:
  std::shared_ptr<GroupNorm> norm1_;
  std::shared_ptr<Conv2d> conv1_;
  std::shared_ptr<Linear> time_emb_proj_;  // null without a conditioning vector
  std::shared_ptr<GroupNorm> norm2_;
  std::shared_ptr<Conv2d> conv2_;
  std::shared_ptr<Conv2d> conv_shortcut_;  // null where the channel count stays
};

}  // namespace musicldm::nn
