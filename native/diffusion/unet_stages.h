// The levels of the UNet: way down, middle, way up.
#pragma once

#include "diffusion/skips.h"
#include "diffusion/unet_blocks.h"
#include "diffusion/unet_config.h"
#include "nn/resnet_block.h"

namespace musicldm::diffusion {

// Residual blocks, each followed by a transformer where the level has attention.
class ResnetStage : public nn::Block {
 protected:
  // One residual block of this stage, and its transformer.
  void add_layer(const UNetConfig& config, size_t level, int64_t in_channels, bool attention);
  void add_attention(const UNetConfig& config, size_t level);
  at::Tensor run_layer(size_t i, const at::Tensor& x, const at::Tensor& activated,
                       const at::Tensor& skip = {}) const;

  std::shared_ptr<nn::List<Transformer2d>> attentions_;  // null without attention
  std::shared_ptr<nn::List<nn::ResnetBlock>> resnets_;
};

class DownStage : public ResnetStage {
 public:
  DownStage(const UNetConfig& config, size_t level);
  // [B, C, T, F] -> [B, C', ceil(T / 2), ceil(F / 2)], the last level keeps the size. Pushes the
  // output of each layer and of the downsampling onto `skips`, until these are complete.
  at::Tensor forward(at::Tensor x, const at::Tensor& activated, Skips& skips) const;

 private:
  std::shared_ptr<nn::List<Downsample>> downsamplers_;  // null at the last level
};

class MidStage : public ResnetStage {
 public:
  explicit MidStage(const UNetConfig& config);
  at::Tensor forward(const at::Tensor& x, const at::Tensor& activated) const;  // keeps the shape
};

class UpStage : public ResnetStage {
 public:
  // `position` counts from the lowest resolution.
  UpStage(const UNetConfig& config, size_t position);
  // Pops one skip for each layer, and runs the layers that have one; upsamples to the size of the
  // next skip that is left. Undefined as long as no layer has run.
  at::Tensor forward(at::Tensor x, const at::Tensor& activated, Skips& skips) const;
  int64_t layers() const { return static_cast<int64_t>(resnets_->size()); }

 private:
  std::shared_ptr<nn::List<Upsample>> upsamplers_;  // null at the last position
};

}  // namespace musicldm::diffusion
