#include "nn/layers.h"

#include <ATen/ops/batch_norm.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/conv1d.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/conv_transpose1d.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/group_norm.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/upsample_nearest2d.h>

#include <cmath>
#include <utility>

#include "kernels/cpu/norm.h"
#include "nn/circular.h"
#include "nn/packed_conv2d.h"
#include "nn/packed_linear.h"
#include "nn/packed_norm.h"
#include "nn/slots.h"

namespace musicldm::nn {

namespace {

thread_local bool circular_time = false;

Init constant(double value) { return {Init::Kind::kConstant, value}; }

// torch.nn's default for Linear and convolutions: kaiming_uniform(a = sqrt 5) has bound
// 1 / sqrt(fan_in), and so has the bias.
Init default_uniform(int64_t fan_in) {
  return {Init::Kind::kUniform, fan_in > 0 ? 1.0 / std::sqrt(static_cast<double>(fan_in)) : 0.0};
}

}  // namespace

CircularTime::CircularTime(bool enabled) : previous_(std::exchange(circular_time, enabled)) {}
CircularTime::~CircularTime() { circular_time = previous_; }
bool CircularTime::enabled() { return circular_time; }

void Layer::declare(at::IntArrayRef weight_shape, at::IntArrayRef bias_shape) {
  const auto meta = at::TensorOptions(at::kMeta).dtype(at::kFloat);
  weight = register_parameter("weight", at::empty(weight_shape, meta), false);
  if (!bias_shape.empty()) bias = register_parameter("bias", at::empty(bias_shape, meta), false);
}

Linear::Linear(int64_t in_features, int64_t out_features, bool with_bias) {
  const at::IntArrayRef bias_shape = with_bias ? at::IntArrayRef(out_features) : at::IntArrayRef();
  declare({out_features, in_features}, bias_shape);
  weight_init = bias_init = default_uniform(in_features);
}

PackedLinear& Linear::packed() const {
  if (!packed_) packed_ = std::make_shared<PackedLinear>();
  return *packed_;
}

void Linear::drop_packed() { packed_.reset(); }

at::Tensor Linear::forward(const at::Tensor& x, const at::Tensor& residual) const {
  if (runs_packed({x, weight, bias, residual})) {
    return packed().forward(x, {weight}, bias, residual);
  }
  at::Tensor y = at::linear(x, weight, bias);
  return residual.defined() ? y.add_(residual) : y;
}

at::Tensor Linear::forward_gelu(const at::Tensor& x) const {
  if (runs_packed({x, weight, bias})) return packed().forward_gelu(x, weight, bias);
  return at::gelu(forward(x));
}

at::Tensor Linear::forward_gated(const at::Tensor& x) const {
  if (runs_packed({x, weight, bias}) && PackedLinear::can_gate(weight)) {
    return packed().forward_gated(x, weight, bias);
  }
  const auto halves = forward(x).chunk(2, -1);  // value, gate
  return at::gelu(halves[1]).mul_(halves[0]);
}

Embedding::Embedding(int64_t count, int64_t width, int64_t padding_index)
    : padding_index_(padding_index) {
  declare({count, width}, {});
  weight_init = {Init::Kind::kNormal, 1.0};
}

at::Tensor Embedding::forward(const at::Tensor& indices) const {
  return at::embedding(weight, indices, padding_index_);
}

LayerNorm::LayerNorm(int64_t width, double eps) : eps_(eps) {
  declare(width, width);
  weight_init = constant(1);
  bias_init = constant(0);
}

at::Tensor LayerNorm::forward(const at::Tensor& x) const {
  return at::layer_norm(x, weight.sizes(), weight, bias, eps_);
}

GroupNorm::GroupNorm(int64_t groups, int64_t channels, double eps) : groups_(groups), eps_(eps) {
  declare(channels, channels);
  weight_init = constant(1);
  bias_init = constant(0);
}

at::Tensor GroupNorm::forward(const at::Tensor& x) const {
  if (x.dim() == 4 && runs_packed({x, weight, bias})) return forward_packed(*this, x);
  return at::group_norm(x, groups_, weight, bias, eps_);
}

kernels::GroupNormTask GroupNorm::task() const {
  return {.groups = groups_,
          .eps = eps_,
          .weight = weight.const_data_ptr<float>(),
          .bias = bias.const_data_ptr<float>()};
}

BatchNorm::BatchNorm(int64_t channels, double eps, double momentum)
    : eps_(eps), momentum_(momentum) {
  declare(channels, channels);
  weight_init = constant(1);
  bias_init = constant(0);
  const auto meta = at::TensorOptions(at::kMeta);
  running_mean = register_buffer("running_mean", at::empty({channels}, meta.dtype(at::kFloat)));
  running_var = register_buffer("running_var", at::empty({channels}, meta.dtype(at::kFloat)));
  num_batches_tracked =
      register_buffer("num_batches_tracked", at::empty({}, meta.dtype(at::kLong)));
}

at::Tensor BatchNorm::forward(const at::Tensor& x) {
  if (!is_training()) {
    return at::batch_norm(x, weight, bias, running_mean, running_var, false, momentum_, eps_,
                          false);
  }
  // What the buffers hold may be shared with others: it is replaced, not written to.
  const at::Tensor mean = running_mean.clone();
  const at::Tensor variance = running_var.clone();
  const at::Tensor y =
      at::batch_norm(x, weight, bias, mean, variance, true, momentum_, eps_, false);
  fill_slot(running_mean, mean);
  fill_slot(running_var, variance);
  fill_slot(num_batches_tracked, num_batches_tracked + 1);
  return y;
}

Conv2d::Conv2d(const Conv2dOptions& options) : options_(options) {
  const auto& o = options_;
  const auto bias_shape = o.with_bias ? at::IntArrayRef(o.out_channels) : at::IntArrayRef();
  declare({o.out_channels, o.in_channels, o.kernel, o.kernel}, bias_shape);
  weight_init = bias_init = default_uniform(o.in_channels * o.kernel * o.kernel);
}

at::Tensor Conv2d::forward(const at::Tensor& x, const Fusion& fusion) const {
  const auto norm = fusion.norm ? std::array{fusion.norm->weight, fusion.norm->bias}
                                : std::array<at::Tensor, 2>{};
  if (runs_packed(
          {x, weight, bias, fusion.skip, fusion.shift, fusion.residual, norm[0], norm[1]})) {
    if (!packed_) packed_ = std::make_shared<PackedConv2d>();
    return forward_packed(*this, x, fusion, *packed_);
  }
  at::Tensor input = fusion.skip.defined() ? at::cat({x, fusion.skip}, 1) : x;
  if (fusion.norm) input = fusion.norm->forward(input);
  if (fusion.silu) input = fusion.norm ? at::silu_(input) : at::silu(input);
  if (fusion.size[0] > 0) input = at::upsample_nearest2d(input, fusion.size);
  at::Tensor y = convolve(input);
  if (fusion.shift.defined()) y.add_(fusion.shift.unsqueeze(-1).unsqueeze(-1));
  return fusion.residual.defined() ? y.add_(fusion.residual) : y;
}

at::Tensor Conv2d::convolve(const at::Tensor& x) const {
  at::Tensor input = x;
  Padding2d padding = options_.padding;
  if (CircularTime::enabled()) {
    input = wrap_axis(input, 2, padding.top, padding.bottom);
    padding.top = padding.bottom = 0;
  }
  if (padding.top != padding.bottom || padding.left != padding.right) {
    input = at::constant_pad_nd(input, {padding.left, padding.right, padding.top, padding.bottom});
    padding = {};
  }
  return at::conv2d(input, weight, bias, options_.stride, {padding.top, padding.left});
}

Conv1d::Conv1d(const Conv1dOptions& options) : options_(options) {
  const auto& o = options_;
  declare({o.out_channels, o.in_channels, o.kernel}, o.out_channels);
  weight_init = bias_init = default_uniform(o.in_channels * o.kernel);
}

at::Tensor Conv1d::forward(const at::Tensor& x) const {
  const auto& o = options_;
  if (!CircularTime::enabled()) {
    return at::conv1d(x, weight, bias, o.stride, o.padding, o.dilation);
  }
  const at::Tensor wrapped = wrap_axis(x, 2, o.padding, o.padding);
  return at::conv1d(wrapped, weight, bias, o.stride, at::IntArrayRef(0), o.dilation);
}

ConvTranspose1d::ConvTranspose1d(const Conv1dOptions& options) : options_(options) {
  const auto& o = options_;
  declare({o.in_channels, o.out_channels, o.kernel}, o.out_channels);
  // torch.nn computes fan_in from axis 1, which a transposed kernel has as its output channels.
  weight_init = bias_init = default_uniform(o.out_channels * o.kernel);
}

at::Tensor ConvTranspose1d::forward(const at::Tensor& x) const {
  const auto& o = options_;
  if (!CircularTime::enabled()) {
    return at::conv_transpose1d(x, weight, bias, o.stride, o.padding, 0, 1, o.dilation);
  }
  // Enough frames of the circle on both sides that every kept sample sees its whole kernel.
  const int64_t reach = o.dilation * (o.kernel - 1);
  const int64_t frames = (reach + o.stride - 1) / o.stride;
  const at::Tensor wrapped = wrap_axis(x, 2, frames, frames);
  const at::Tensor samples =
      at::conv_transpose1d(wrapped, weight, bias, o.stride, 0, 0, 1, o.dilation);
  return samples.narrow(2, frames * o.stride + o.padding, x.size(2) * o.stride);
}

}  // namespace musicldm::nn
