#include "clap/pann.h"

#include <ATen/ops/avg_pool2d.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/tensor.h>

#include <cmath>
#include <string>

#include "runtime/cancel.h"
#include "runtime/error.h"

namespace musicldm::clap {

namespace {

at::Tensor activate(nn::BatchNorm& norm, const at::Tensor& x) {
  at::Tensor y = norm.forward(x);
  return at::relu_(y);
}

// Xavier's bound.
nn::Init xavier(const at::Tensor& weight) {
  const int64_t taps = weight[0][0].numel();
  const auto fans = static_cast<double>((weight.size(0) + weight.size(1)) * taps);
  return {nn::Init::Kind::kUniform, std::sqrt(6 / fans)};
}

}  // namespace

PannBlock::PannBlock(int64_t in_channels, int64_t out_channels, int64_t kernel) {
  const auto padding = nn::Padding2d::same(kernel / 2);
  const auto conv = [&](const char* name, int64_t channels) {
    return child<nn::Conv2d>(name, nn::Conv2dOptions{.in_channels = channels,
                                                     .out_channels = out_channels,
                                                     .kernel = kernel,
                                                     .padding = padding,
                                                     .with_bias = false});
  };
  conv1_ = conv("conv1", in_channels);
  bn1_ = child<nn::BatchNorm>("bn1", out_channels);
  if (kernel == 5) return;
  conv2_ = conv("conv2", out_channels);
  bn2_ = child<nn::BatchNorm>("bn2", out_channels);
}

at::Tensor PannBlock::forward(const at::Tensor& x, bool pools) const {
  at::Tensor y = activate(*bn1_, conv1_->forward(x));
  if (conv2_) y = activate(*bn2_, conv2_->forward(y));
  return pools ? at::avg_pool2d(y, 2) : y;
}

DetailConv::DetailConv() {
  declare({64, 1, 5, 5}, 64);
  weight_init = bias_init = {nn::Init::Kind::kUniform, 1.0 / 5};
}

at::Tensor DetailConv::forward(const at::Tensor& x) const {
  return at::conv2d(x, weight, bias, {6, 2}, {2, 2});
}

PannDetails::PannDetails() : conv_(child<DetailConv>("0")), norm_(child<nn::BatchNorm>("1", 64)) {}

at::Tensor PannDetails::forward(const at::Tensor& x) const {
  return activate(*norm_, conv_->forward(x));
}

Pann::Pann(const PannConfig& c) : config_(c) {
  bn0_ = child<nn::BatchNorm>("bn0", c.num_mel_bins);
  int64_t channels = c.fusion == FusionType::kChannelMap ? 4 : 1;
  for (size_t i = 0; i < c.widths.size(); ++i) {
    const std::string name = "conv_block" + std::to_string(i + 1);
    blocks_.push_back(child<PannBlock>(name, channels, c.widths[i], c.kernel));
    channels = c.widths[i];
  }
  fc1_ = child<nn::Linear>("fc1", channels, channels);
  block_dropout_ = child<nn::Dropout>("block_dropout", 0.2);
  head_dropout_ = child<nn::Dropout>("head_dropout", 0.5);
  set_initialisers();  // what follows starts as PyTorch's layers do
  if (!merges_maps(c.fusion)) return;
  mel_conv2d_ = child<PannDetails>("mel_conv2d");
  fusion_model_ = child<FeatureFusion>("fusion_model", c.fusion, c.widths[0], 4);
}

void Pann::set_initialisers() {
  apply([](torch::nn::Module& module) {
    const bool is_product =
        dynamic_cast<nn::Linear*>(&module) || dynamic_cast<nn::Conv2d*>(&module);
    if (!is_product) return;
    auto& layer = dynamic_cast<nn::Layer&>(module);
    layer.weight_init = xavier(layer.weight);
    layer.bias_init = {nn::Init::Kind::kConstant, 0};
  });
}

bool Pann::pools(size_t block) const { return static_cast<int64_t>(block) < config_.unpooled_from; }

void Pann::check_frames(int64_t frames) const {
  const int64_t least =
      int64_t{1} << std::min<int64_t>(config_.unpooled_from, static_cast<int64_t>(blocks_.size()));
  if (frames >= least) return;
  throw runtime::expected("E_SHAPE", "at least " + std::to_string(least) + " frames", "features",
                          std::to_string(frames));
}

Pann::Output Pann::forward(const at::Tensor& features, const std::vector<int64_t>& longer) const {
  const at::Tensor mels = bn0_->forward(features.transpose(1, 3)).transpose(1, 3);
  at::Tensor x = fusion_model_ ? mels.narrow(1, 0, 1) : mels;  // [B, C, T, F]
  for (size_t i = 0; i < blocks_.size(); ++i) {
    runtime::throw_if_cancelled();
    x = blocks_[i]->forward(x, pools(i));  // [B, C', T / 2, F / 2]
    if (i == 0 && fusion_model_ && !longer.empty()) x = merge(x, mels, longer);
    x = block_dropout_->forward(x);
  }
  const at::Tensor hidden = x.mean(3);  // [B, C, T']
  const at::Tensor summary = std::get<0>(hidden.max(2)) + hidden.mean(2);
  const at::Tensor embedding = at::relu(fc1_->forward(head_dropout_->forward(summary)));
  return {hidden, head_dropout_->forward(embedding)};
}

// Front, middle and back one after another, a third as long each.
at::Tensor Pann::merge(const at::Tensor& whole, const at::Tensor& mels,
                       const std::vector<int64_t>& longer) const {
  const at::Tensor rows = at::tensor(longer, at::kLong).to(whole.device());
  const at::Tensor parts = mels.index_select(0, rows).narrow(1, 1, 3).flatten(0, 1).unsqueeze(1);
  const at::Tensor details = mel_conv2d_
                                 ->forward(parts)  // [3 R, 64, T / 6, F / 2]
                                 .unflatten(0, {-1, 3})
                                 .transpose(1, 2)
                                 .flatten(2, 3);
  const at::Tensor fitted =
      at::constant_pad_nd(details, {0, 0, 0, whole.size(2) - details.size(2)});
  return whole.index_copy(0, rows, fusion_model_->forward(whole.index_select(0, rows), fitted));
}

}  // namespace musicldm::clap
