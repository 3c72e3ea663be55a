#include "clap/htsat.h"

#include <ATen/ops/upsample_bicubic2d.h>

#include <cmath>
#include <numeric>
#include <string>

#include "runtime/cancel.h"
#include "runtime/error.h"

namespace musicldm::clap {

namespace {

// Blocks before a stage, or in all.
int64_t blocks_before(const HtsatConfig& c, size_t stage) {
  return std::accumulate(c.depths.begin(), c.depths.begin() + static_cast<int64_t>(stage),
                         int64_t{0});
}

// Rates rise evenly over all blocks, from 0.
double drop_path(const HtsatConfig& c, int64_t block) {
  const int64_t last = blocks_before(c, c.depths.size()) - 1;
  if (last == 0) return 0;
  return c.drop_path_rate * static_cast<double>(block) / static_cast<double>(last);
}

}  // namespace

HtsatStage::HtsatStage(const HtsatConfig& c, size_t stage)
    : blocks_(child<nn::List<SwinBlock>>("blocks")) {
  const int64_t width = c.patch_embeds_hidden_size << stage;
  const int64_t first = blocks_before(c, stage);
  // One window has nothing to shift.
  const int64_t rows = (c.spec_size / c.patch_size[0]) >> stage;
  const int64_t columns = (c.spec_size / c.patch_size[1]) >> stage;
  const bool shifts = std::min(rows, columns) > c.window_size;
  for (int64_t i = 0; i < c.depths[stage]; ++i) {
    const int64_t shift = shifts && i % 2 == 1 ? c.window_size / 2 : 0;
    blocks_->emplace(c, SwinOptions{.width = width,
                                    .heads = c.num_attention_heads[stage],
                                    .windows = {c.window_size, shift},
                                    .drop_path = drop_path(c, first + i)});
  }
  if (stage + 1 < c.depths.size()) downsample_ = child<PatchMerging>("downsample", width);
}

at::Tensor HtsatStage::forward(at::Tensor x) const {
  for (const auto& block : *blocks_) {
    runtime::throw_if_cancelled();
    x = block->forward(x);
  }
  return downsample_ ? downsample_->forward(x) : x;  // [B, H / 2, W / 2, 2 C]
}

Htsat::Htsat(const HtsatConfig& c) : config_(c) {
  patch_embed_ = child<PatchEmbed>("patch_embed", c);
  layers_ = child<nn::List<HtsatStage>>("layers");
  for (size_t stage = 0; stage < c.depths.size(); ++stage) layers_->emplace(c, stage);
  batch_norm_ = child<nn::BatchNorm>("batch_norm", c.num_mel_bins);
  norm_ = child<nn::LayerNorm>("norm", c.width(), 1e-5);
  set_initialisers();
}

// As ClapPreTrainedModel starts them.
void Htsat::set_initialisers() {
  using Kind = nn::Init::Kind;
  const double fan = 2.0 * static_cast<double>(config_.width() * config_.num_hidden_layers);
  const nn::Init weights{Kind::kNormal, config_.initializer_factor / std::sqrt(fan)};
  apply([&](torch::nn::Module& module) {
    const bool is_product = dynamic_cast<nn::Linear*>(&module) ||
                            dynamic_cast<PatchConv*>(&module) || dynamic_cast<nn::Conv2d*>(&module);
    if (!is_product) return;
    auto& layer = dynamic_cast<nn::Layer&>(module);
    layer.weight_init = weights;
    layer.bias_init = {Kind::kConstant, 0};
  });
}

void Htsat::check_frames(int64_t frames) const {
  const int64_t most = config_.spec_size * config_.folds();
  if (frames >= 1 && frames <= most) return;
  throw runtime::expected("E_SHAPE", "1.." + std::to_string(most) + " frames", "features",
                          std::to_string(frames));
}

Htsat::Output Htsat::forward(const at::Tensor& features, const std::vector<int64_t>& longer) const {
  at::Tensor x = patch_embed_->forward(fold(features), longer);  // [B, H, W, C]
  for (const auto& layer : *layers_) x = layer->forward(x);
  const at::Tensor hidden = norm_->forward(x);  // [B, H, W, C]
  return {unfold(hidden), hidden.mean({1, 2})};
}

// [B, 1 or 4, T, F] dB -> [B, 1 or 4, S, S]: mel bins are normalised, time is stretched to S^2 / F
// frames, and its pieces of S frames stand below one another.
at::Tensor Htsat::fold(const at::Tensor& features) const {
  const int64_t size = config_.spec_size;
  const int64_t frames = size * config_.folds();
  at::Tensor x = batch_norm_->forward(features.transpose(1, 3)).transpose(1, 3);
  if (x.size(2) < frames) x = at::upsample_bicubic2d(x, {frames, x.size(3)}, true);
  return x.unflatten(2, {config_.folds(), size}).transpose(3, 4).flatten(2, 3);
}

// [B, H, W, C] -> [B, C, H / folds, folds * W], where the last axis is time again.
at::Tensor Htsat::unfold(const at::Tensor& tokens) const {
  const at::Tensor pieces = tokens.permute({0, 3, 1, 2}).unflatten(2, {config_.folds(), -1});
  return pieces.transpose(2, 3).flatten(3);
}

}  // namespace musicldm::clap
