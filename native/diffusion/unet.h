// The denoising network of MusicLDM and AudioLDM (diffusers' UNet2DConditionModel, conditioned by a
// CLAP embedding beside the timestep and by no text states).
#pragma once

#include <vector>

#include "diffusion/unet_stages.h"

namespace musicldm::diffusion {

class UNet : public nn::Block {
 public:
  explicit UNet(const UNetConfig& config);

  // latents [B, C, T, F] in the network's dtype, timesteps [1] or [B] f32, class_labels [B, width]
  // -> [B, C', T, F], for any T and F of at least 1. E_SHAPE or E_DTYPE names the argument that
  // does not fit.
  at::Tensor forward(const at::Tensor& latents, const at::Tensor& timesteps,
                     const at::Tensor& class_labels) const;

 private:
  void check(const at::Tensor& latents, const at::Tensor& timesteps,
             const at::Tensor& class_labels) const;
  // SiLU of the vector that conditions every residual block, [B, embedding_width].
  at::Tensor activated_embedding(const at::Tensor& timesteps, const at::Tensor& labels) const;

  UNetConfig config_;
  std::shared_ptr<nn::Conv2d> conv_in_;
  std::shared_ptr<TimestepEmbedding> time_embedding_;
  std::shared_ptr<nn::Linear> class_embedding_;
  std::shared_ptr<nn::List<DownStage>> down_blocks_;
  std::shared_ptr<MidStage> mid_block_;
  std::shared_ptr<nn::List<UpStage>> up_blocks_;
  std::shared_ptr<nn::GroupNorm> conv_norm_out_;
  std::shared_ptr<nn::Conv2d> conv_out_;
};

}  // namespace musicldm::diffusion
