#include "diffusion/unet.h"

#include <ATen/ops/broadcast_tensors.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/silu.h>

#include <string>
#include <vector>

#include "runtime/cancel.h"
#include "runtime/error.h"
#include "runtime/value.h"

namespace musicldm::diffusion {

namespace {

void require(bool fits, const std::string& what, const char* name, const at::Tensor& value) {
  if (fits) return;
  throw runtime::expected("E_SHAPE", what, name, runtime::shape_text(value.sizes()));
}

void require_shape(const std::vector<int64_t>& shape, const char* name, const at::Tensor& value) {
  require(value.sizes() == at::IntArrayRef(shape), runtime::shape_text(shape), name, value);
}

void require_dtype(at::ScalarType dtype, const char* name, const at::Tensor& value) {
  if (value.scalar_type() == dtype) return;
  throw runtime::expected("E_DTYPE", runtime::dtype_name(dtype), name,
                          runtime::dtype_name(value.scalar_type()));
}

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
  for (const auto& stage : *up_blocks_) skip_count_ += stage->layers();
  conv_norm_out_ =
      child<nn::GroupNorm>("conv_norm_out", config.norm_num_groups, width, config.norm_eps);
  conv_out_ = child<nn::Conv2d>("conv_out", conv3x3(width, config.out_channels));
}

at::Tensor UNet::forward(const at::Tensor& latents, const at::Tensor& timesteps,
                         const at::Tensor& class_labels) const {
  check_latents(latents);
  const int64_t batch = latents.size(0);
  require(timesteps.dim() == 1 && (timesteps.size(0) == 1 || timesteps.size(0) == batch),
          "one timestep or one for each of " + std::to_string(batch) + " items", "timestep",
          timesteps);
  require_shape({batch, config_.class_labels_width}, "classLabels", class_labels);
  Skips skips;
  return run(latents, join(embed_time(timesteps), embed_labels(class_labels)), skips);
}

at::Tensor UNet::condition(const at::Tensor& timesteps, const at::Tensor& class_labels) const {
  require(timesteps.dim() == 1 && timesteps.size(0) > 0, "[timesteps]", "timesteps", timesteps);
  const int64_t width = config_.class_labels_width;
  require(class_labels.dim() == 2 && class_labels.size(0) > 0 && class_labels.size(1) == width,
          "[batch, " + std::to_string(width) + "]", "classLabels", class_labels);
  return join(embed_time(timesteps).unsqueeze(1), embed_labels(class_labels).unsqueeze(0));
}

at::Tensor UNet::predict(const at::Tensor& latents, const at::Tensor& conditioning) const {
  check_conditioning(latents, conditioning);
  Skips skips;
  return run(latents, conditioning, skips);
}

at::Tensor UNet::predict_keeping(const at::Tensor& latents, const at::Tensor& conditioning,
                                 DeepFeature& feature) const {
  check_conditioning(latents, conditioning);
  check_branch(feature.branch);
  Skips skips = Skips::keeping(feature.branch);
  const at::Tensor prediction = run(latents, conditioning, skips);
  feature.tensor = skips.feature();
  return prediction;
}

at::Tensor UNet::predict_shallow(const at::Tensor& latents, const at::Tensor& conditioning,
                                 const DeepFeature& feature) const {
  check_conditioning(latents, conditioning);
  check_branch(feature.branch);
  const at::Tensor& kept = feature.tensor;
  const auto batch = std::to_string(latents.size(0));
  const int64_t channels = feature_channels(feature.branch);
  require(kept.dim() == 4 && kept.size(0) == latents.size(0) && kept.size(1) == channels,
          "[" + batch + ", " + std::to_string(channels) + ", frames, bins]", "feature", kept);
  require_dtype(conv_in_->weight.scalar_type(), "feature", kept);
  Skips skips = Skips::shallow(feature.branch, kept);
  return run(latents, conditioning, skips);
}

at::Tensor UNet::run(const at::Tensor& latents, const at::Tensor& activated, Skips& skips) const {
  at::Tensor x = conv_in_->forward(latents);
  skips.push(x);
  for (const auto& stage : *down_blocks_) x = stage->forward(x, activated, skips);
  if (skips.complete()) {
    x = at::Tensor();
    skips.pad(skip_count_);
  } else {
    x = mid_block_->forward(x, activated);
  }
  for (const auto& stage : *up_blocks_) x = stage->forward(x, activated, skips);
  runtime::throw_if_cancelled();
  x = conv_out_->forward(x, {.norm = conv_norm_out_.get(), .silu = true});
  return x.contiguous();  // [B, C', T, F]
}

at::Tensor UNet::embed_time(const at::Tensor& timesteps) const {
  const auto sinusoid = timestep_sinusoid(timesteps, config_.block_out_channels.front(),
                                          config_.flip_sin_to_cos, config_.freq_shift);
  return time_embedding_->forward(sinusoid.to(conv_in_->weight.scalar_type()));
}

at::Tensor UNet::embed_labels(const at::Tensor& class_labels) const {
  return class_embedding_->forward(class_labels.to(conv_in_->weight.scalar_type()));
}

at::Tensor UNet::join(const at::Tensor& time, const at::Tensor& film) const {
  if (!config_.class_embeddings_concat) return at::silu(time + film);
  return at::silu(at::cat(at::broadcast_tensors({time, film}), -1));
}

int64_t UNet::feature_channels(int64_t branch) const {
  int64_t below = config_.block_out_channels.back();
  int64_t skip = skip_count_;
  size_t position = 0;
  for (; branch < skip - (*up_blocks_)[position].layers(); ++position) {
    below = config_.block_out_channels[config_.levels() - 1 - position];
    skip -= (*up_blocks_)[position].layers();
  }
  const bool is_first = branch == skip - 1;
  return is_first ? below : config_.block_out_channels[config_.levels() - 1 - position];
}

void UNet::check_latents(const at::Tensor& latents) const {
  const auto channels = std::to_string(config_.in_channels);
  require(latents.dim() == 4 && latents.size(1) == config_.in_channels && latents.numel() > 0,
          "[batch, " + channels + ", frames, bins]", "latents", latents);
  require_dtype(conv_in_->weight.scalar_type(), "latents", latents);
}

void UNet::check_conditioning(const at::Tensor& latents, const at::Tensor& conditioning) const {
  check_latents(latents);
  require_shape({latents.size(0), config_.embedding_width()}, "conditioning", conditioning);
  require_dtype(conv_in_->weight.scalar_type(), "conditioning", conditioning);
}

void UNet::check_branch(int64_t branch) const {
  if (branch >= 0 && branch < skip_count_) return;
  throw runtime::expected("E_ARGUMENT", "an integer in 0.." + std::to_string(skip_count_ - 1),
                          "branch", std::to_string(branch));
}

}  // namespace musicldm::diffusion
