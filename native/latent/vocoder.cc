#include "latent/vocoder.h"

#include <ATen/ops/leaky_relu.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <functional>
#include <string>

#include "runtime/cancel.h"
#include "runtime/error.h"
#include "runtime/value.h"

namespace musicldm::latent {

namespace {

// The reference leaves the slope before the last convolution at PyTorch's default.
constexpr double kLastSlope = 0.01;
constexpr int64_t kOuterKernel = 7;

nn::Conv1dOptions same_conv(int64_t in_channels, int64_t out_channels, int64_t kernel,
                            int64_t dilation = 1) {
  return {.in_channels = in_channels,
          .out_channels = out_channels,
          .kernel = kernel,
          .padding = (kernel - 1) * dilation / 2,
          .dilation = dilation};
}

void require(bool holds, const std::string& what, const std::string& name,
             at::IntArrayRef received) {
  if (!holds) throw runtime::expected("E_CONFIG", what, name, runtime::shape_text(received));
}

void check_stages(const VocoderConfig& config) {
  const auto& rates = config.upsample_rates;
  const auto& kernels = config.upsample_kernel_sizes;
  require(!rates.empty() && *std::min_element(rates.begin(), rates.end()) > 0,
          "at least one positive rate", "upsample_rates", rates);
  require(kernels.size() == rates.size() &&
              std::equal(rates.begin(), rates.end(), kernels.begin(), std::less_equal<>()),
          "one size per rate, no smaller than the rate", "upsample_kernel_sizes", kernels);
  const int64_t width = config.upsample_initial_channel;
  require(rates.size() < 32 && (width >> rates.size()) > 0,
          "at least 2^" + std::to_string(rates.size()), "upsample_initial_channel", {width});
}

void check_stacks(const VocoderConfig& config) {
  const auto& kernels = config.resblock_kernel_sizes;
  const auto& dilations = config.resblock_dilation_sizes;
  const auto is_odd = [](int64_t kernel) { return kernel > 0 && kernel % 2 == 1; };
  require(!kernels.empty() && std::all_of(kernels.begin(), kernels.end(), is_odd),
          "at least one odd size", "resblock_kernel_sizes", kernels);
  require(dilations.size() == kernels.size(), "one list per kernel size", "resblock_dilation_sizes",
          {static_cast<int64_t>(dilations.size())});
  for (const auto& list : dilations) {
    require(!list.empty() && *std::min_element(list.begin(), list.end()) > 0, "positive dilations",
            "resblock_dilation_sizes", list);
  }
}

void check_log_mel(const at::Tensor& log_mel, int64_t bins) {
  const int64_t axes = log_mel.dim();
  if ((axes == 2 || axes == 3) && log_mel.size(-1) == bins && log_mel.numel() > 0) return;
  const std::string width = std::to_string(bins);
  throw runtime::expected("E_SHAPE", "[frames, " + width + "] or [batch, frames, " + width + "]",
                          "logMel", runtime::shape_text(log_mel.sizes()));
}

// transformers draws every convolution of this model from N(0, initializer_range).
void use_normal_init(torch::nn::Module& root, double standard_deviation) {
  root.apply([&](torch::nn::Module& module) {
    auto* layer = dynamic_cast<nn::Layer*>(&module);
    if (layer == nullptr) return;
    layer->weight_init = {nn::Init::Kind::kNormal, standard_deviation};
    layer->bias_init = {nn::Init::Kind::kConstant, 0};
  });
}

}  // namespace

ResidualStack::ResidualStack(const ResidualStackOptions& options) : slope_(options.slope) {
  const auto& o = options;
  convs1_ = child<nn::List<nn::Conv1d>>("convs1");
  convs2_ = child<nn::List<nn::Conv1d>>("convs2");
  for (const int64_t dilation : o.dilations) {
    convs1_->emplace(same_conv(o.channels, o.channels, o.kernel, dilation));
    convs2_->emplace(same_conv(o.channels, o.channels, o.kernel));
  }
}

// In-place steps act on results of this function alone, so they are safe under autograd too.
at::Tensor ResidualStack::forward(const at::Tensor& x) const {
  at::Tensor sum = x;
  for (size_t i = 0; i < convs1_->size(); ++i) {
    runtime::throw_if_cancelled();
    at::Tensor y = at::leaky_relu(sum, slope_);
    y = (*convs1_)[i].forward(y);
    y = (*convs2_)[i].forward(at::leaky_relu_(y, slope_));
    sum = y.add_(sum);
  }
  return sum;
}

StackLayers ResidualStack::layers() const {
  StackLayers layers;
  for (size_t i = 0; i < convs1_->size(); ++i) {
    layers.first.push_back(&(*convs1_)[i]);
    layers.second.push_back(&(*convs2_)[i]);
  }
  return layers;
}

Vocoder::Vocoder(const VocoderConfig& config) : config_(config) {
  check_stages(config);
  check_stacks(config);
  const int64_t width = config.upsample_initial_channel;
  const size_t stages = config.upsample_rates.size();
  conv_pre_ = child<nn::Conv1d>("conv_pre", same_conv(config.model_in_dim, width, kOuterKernel));
  upsampler_ = child<nn::List<nn::ConvTranspose1d>>("upsampler");
  resblocks_ = child<nn::List<ResidualStack>>("resblocks");
  for (size_t stage = 0; stage < stages; ++stage) add_stage(stage, width >> stage);
  conv_post_ = child<nn::Conv1d>("conv_post", same_conv(width >> stages, 1, kOuterKernel));
  mean_ = register_buffer("mean", at::zeros(config.model_in_dim));
  scale_ = register_buffer("scale", at::ones(config.model_in_dim));
  use_normal_init(*this, config.initializer_range);
}

void Vocoder::add_stage(size_t stage, int64_t in_channels) {
  const int64_t rate = config_.upsample_rates[stage];
  const int64_t kernel = config_.upsample_kernel_sizes[stage];
  const int64_t channels = in_channels / 2;
  upsampler_->emplace(nn::Conv1dOptions{.in_channels = in_channels,
                                        .out_channels = channels,
                                        .kernel = kernel,
                                        .stride = rate,
                                        .padding = (kernel - rate) / 2});
  for (size_t i = 0; i < config_.resblock_kernel_sizes.size(); ++i) {
    resblocks_->emplace(ResidualStackOptions{.channels = channels,
                                             .kernel = config_.resblock_kernel_sizes[i],
                                             .dilations = config_.resblock_dilation_sizes[i],
                                             .slope = config_.leaky_relu_slope});
  }
}

at::Tensor Vocoder::upsample(size_t stage, at::Tensor x) const {
  runtime::throw_if_cancelled();
  x = (*upsampler_)[stage].forward(at::leaky_relu_(x, config_.leaky_relu_slope));
  const size_t stacks = config_.resblock_kernel_sizes.size();
  at::Tensor sum = (*resblocks_)[stage * stacks].forward(x);  // [B, C/2, N·rate]
  for (size_t i = 1; i < stacks; ++i) sum.add_((*resblocks_)[stage * stacks + i].forward(x));
  return sum.div_(static_cast<double>(stacks));
}

VocoderLayers Vocoder::layers() const {
  VocoderLayers layers{.before = conv_pre_.get(),
                       .upsamplers = {},
                       .stacks = {},
                       .after = conv_post_.get(),
                       .slope = config_.leaky_relu_slope,
                       .last_slope = kLastSlope};
  for (size_t i = 0; i < upsampler_->size(); ++i) layers.upsamplers.push_back(&(*upsampler_)[i]);
  for (size_t i = 0; i < resblocks_->size(); ++i)
    layers.stacks.push_back((*resblocks_)[i].layers());
  return layers;
}

// [B, T, M] -> [B, N]
at::Tensor Vocoder::forward_packed(const at::Tensor& mel) const {
  if (!packed_) packed_ = std::make_unique<PackedVocoder>(layers());
  std::vector<at::Tensor> waves;
  for (const at::Tensor& item : mel.unbind()) {
    waves.push_back(packed_->forward(item, nn::CircularTime::enabled()));
  }
  return at::stack(waves);
}

at::Tensor Vocoder::forward(const at::Tensor& log_mel) const {
  check_log_mel(log_mel, config_.model_in_dim);
  at::Tensor x = config_.normalize_before ? (log_mel - mean_) / scale_ : log_mel;
  const bool batched = x.dim() == 3;
  if (!batched) x = x.unsqueeze(0);
  x = x.to(conv_pre_->weight.scalar_type());
  if (nn::runs_packed(*this, x)) {
    x = forward_packed(x);
    return batched ? x : x.squeeze(0);
  }
  x = x.transpose(1, 2);      // [B, M, T]
  x = conv_pre_->forward(x);  // [B, C, T]
  for (size_t stage = 0; stage < upsampler_->size(); ++stage) x = upsample(stage, std::move(x));
  x = conv_post_->forward(at::leaky_relu_(x, kLastSlope));  // [B, 1, N]
  x = x.tanh_().squeeze(1);
  return batched ? x : x.squeeze(0);
}

}  // namespace musicldm::latent
