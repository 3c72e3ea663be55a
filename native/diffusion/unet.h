// The denoising network of MusicLDM and AudioLDM (diffusers' UNet2DConditionModel, conditioned by a
// CLAP embedding beside the timestep and by no text states).
#pragma once

#include "diffusion/unet_stages.h"

namespace musicldm::diffusion {

// What a shallow pass resumes with: what came into the layer of the way up that takes skip `branch`
// (counted from 0, which is the output of conv_in).
struct DeepFeature {
  int64_t branch = 0;
  at::Tensor tensor;  // [B, C, T, F]
};

class UNet : public nn::Block {
 public:
  explicit UNet(const UNetConfig& config);

  // latents [B, C, T, F] in the network's dtype, timesteps [1] or [B] f32, class_labels [B, width]
  // -> [B, C', T, F], for any T and F of at least 1. E_SHAPE or E_DTYPE names the argument that
  // does not fit.
  at::Tensor forward(const at::Tensor& latents, const at::Tensor& timesteps,
                     const at::Tensor& class_labels) const;

  // timesteps [N] f32, class_labels [B, width] -> [N, B, embedding_width]: all that conditions the
  // residual blocks at each of the timesteps.
  at::Tensor condition(const at::Tensor& timesteps, const at::Tensor& class_labels) const;
  // As `forward`, with a row [B, embedding_width] of what `condition` gave.
  at::Tensor predict(const at::Tensor& latents, const at::Tensor& conditioning) const;
  // As `predict`, and keeps the feature at feature.branch.
  at::Tensor predict_keeping(const at::Tensor& latents, const at::Tensor& conditioning,
                             DeepFeature& feature) const;
  // As `predict`, with everything deeper than the feature left out.
  at::Tensor predict_shallow(const at::Tensor& latents, const at::Tensor& conditioning,
                             const DeepFeature& feature) const;

 private:
  void check_latents(const at::Tensor& latents) const;
  void check_conditioning(const at::Tensor& latents, const at::Tensor& conditioning) const;
  void check_branch(int64_t branch) const;
  // Of what comes into the layer of the way up that takes skip `branch`.
  int64_t feature_channels(int64_t branch) const;
  // SiLU of time [..., time_width] joined with the labels' embedding [..., time_width].
  at::Tensor join(const at::Tensor& time, const at::Tensor& film) const;
  at::Tensor embed_time(const at::Tensor& timesteps) const;  // [N] -> [N, time_width]
  at::Tensor embed_labels(const at::Tensor& class_labels) const;
  at::Tensor run(const at::Tensor& latents, const at::Tensor& activated, Skips& skips) const;

  UNetConfig config_;
  int64_t skip_count_ = 0;
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
