#include "diffusion/unet.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/silu.h>

#include <string>

#include "runtime/cancel.h"
#include "runtime/error.h"
#include "runtime/value.h"

namespace musicldm::diffusion {

namespace {

nn::Conv2dOptions conv3x3(int64_t in, int64_t out) {
  return {in, out, 3, 1, nn::Padding2d::same(1)};
}

}  // namespace

UNet::UNet(const UNetConfig& config) : config_(config) {
  const int64_t width = config.block_out_channels.front();
  conv_in_ = child<nn::Conv2d>("conv_in", conv3x3(config.in_channels, width));
  time_embedding_ = child<TimestepEmbedding>("time_embedding", width, config.time_width());
  class_embedding_ =
      child<nn::Linear>("class_embedding", config.class_labels_width, config.time_width());
  down_blocks_ = child<nn::List<DownStage>>("down_blocks");
  for (size_t level = 0; level < config.levels(); ++level) down_blocks_->emplace(config, level);
  mid_block_ = child<MidStage>("mid_block", config);
  up_blocks_ = child<nn::List<UpStage>>("up_blocks");
  for (size_t i = 0; i < config.levels(); ++i) up_blocks_->emplace(config, i);
  conv_norm_out_ =
      child<nn::GroupNorm>("conv_norm_out", config.norm_num_groups, width, config.norm_eps);
  conv_out_ = child<nn::Conv2d>("conv_out", conv3x3(width, config.out_channels));
}

at::Tensor UNet::forward(const at::Tensor& latents, const at::Tensor& timesteps,
                         const at::Tensor& class_labels) const {
  check(latents, timesteps, class_labels);
  const at::Tensor activated =
      activated_embedding(timesteps, class_labels.to(latents.scalar_type()));
  at::Tensor x = conv_in_->forward(latents);
  std::vector<at::Tensor> skips{x};
  for (const auto& stage : *down_blocks_) x = stage->forward(x, activated, skips);
  x = mid_block_->forward(x, activated);
  for (const auto& stage : *up_blocks_) x = stage->forward(x, activated, skips);
  runtime::throw_if_cancelled();
  x = conv_norm_out_->forward(x);
  return conv_out_->forward(at::silu_(x));  // [B, C', T, F]
}

at::Tensor UNet::activated_embedding(const at::Tensor& timesteps, const at::Tensor& labels) const {
  const auto sinusoid = timestep_sinusoid(timesteps, config_.block_out_channels.front(),
                                          config_.flip_sin_to_cos, config_.freq_shift);
  const at::Tensor time = time_embedding_->forward(sinusoid.to(labels.scalar_type()))
                              .expand({labels.size(0), config_.time_width()});
  const at::Tensor film = class_embedding_->forward(labels);
  return at::silu(config_.class_embeddings_concat ? at::cat({time, film}, 1) : time + film);
}

void UNet::check(const at::Tensor& latents, const at::Tensor& timesteps,
                 const at::Tensor& class_labels) const {
  const auto require = [](bool fits, const std::string& what, const char* name,
                          const at::Tensor& value) {
    if (fits) return;
    throw runtime::expected("E_SHAPE", what, name, runtime::shape_text(value.sizes()));
  };
  const auto channels = std::to_string(config_.in_channels);
  require(latents.dim() == 4 && latents.size(1) == config_.in_channels && latents.numel() > 0,
          "[batch, " + channels + ", frames, bins]", "latents", latents);
  const auto dtype = conv_in_->weight.scalar_type();
  if (latents.scalar_type() != dtype) {
    throw runtime::expected("E_DTYPE", runtime::dtype_name(dtype), "latents",
                            runtime::dtype_name(latents.scalar_type()));
  }
  const int64_t batch = latents.size(0);
  require(timesteps.dim() == 1 && (timesteps.size(0) == 1 || timesteps.size(0) == batch),
          "one timestep or one for each of " + std::to_string(batch) + " items", "timestep",
          timesteps);
  const int64_t width = config_.class_labels_width;
  require(class_labels.sizes() == at::IntArrayRef({batch, width}),
          runtime::shape_text({batch, width}), "classLabels", class_labels);
}

}  // namespace musicldm::diffusion
