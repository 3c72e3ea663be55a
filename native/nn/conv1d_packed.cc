#include "nn/conv1d_packed.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/constant_pad_nd.h>

#include <algorithm>

#include "kernels/cpu/dispatch.h"
#include "nn/packing.h"

namespace musicldm::nn {

namespace {

// Lengths are told apart only as short and long, so that a layer is not packed for each of them.
constexpr int64_t kShort = 256;
constexpr int64_t kLong = 4096;

kernels::Conv1dShape plain_shape(const Conv1dOptions& o) {
  return {.in_channels = o.in_channels,
          .out_channels = o.out_channels,
          .taps = o.kernel,
          .dilation = o.dilation,
          .before = o.padding};
}

// Row q of the transposed convolution holds the samples q * stride ... of the unpadded output; they
// depend on inputs q - taps + 1 ... q.
kernels::Conv1dShape transposed_shape(const Conv1dOptions& o) {
  const int64_t taps = kernels::ceil_div(o.kernel, o.stride);
  return {.in_channels = o.in_channels,
          .out_channels = o.stride * o.out_channels,
          .taps = taps,
          .dilation = 1,
          .before = taps - 1};
}

}  // namespace

PackedConv1d::PackedConv1d(const Conv1d& layer, double scale)
    : layer_(layer),
      options_(layer.options()),
      transposed_(false),
      scale_(scale),
      shape_(plain_shape(options_)),
      kept_(layer.packed) {}

PackedConv1d::PackedConv1d(const ConvTranspose1d& layer, double scale)
    : layer_(layer),
      options_(layer.options()),
      transposed_(true),
      scale_(scale),
      shape_(transposed_shape(options_)),
      kept_(layer.packed) {}

int64_t PackedConv1d::output_count(int64_t count) const {
  const auto& o = options_;
  if (transposed_) return (count - 1) * o.stride - 2 * o.padding + o.kernel;
  return count + 2 * o.padding - (o.kernel - 1) * o.dilation;
}

int64_t PackedConv1d::output_floats(int64_t count) const {
  const int64_t rows = transposed_ ? count + shape_.taps - 1 : output_count(count);
  return rows * shape_.out_channels;
}

float* PackedConv1d::forward(const Samples& input, double slope, const PackedOutput& output) {
  const kernels::Conv1dMethod method = method_for(input.count);
  const PackStamp stamp({layer_.weight, layer_.bias});
  const bool fits = kept_ && kept_->stamp == stamp && kept_->packed.method == method;
  if (!fits) kept_.reset();
  const auto weights =
      fits ? kept_ : std::make_shared<Conv1dWeights>(Conv1dWeights{stamp, pack(method)});
  if (method.keep) kept_ = weights;
  kernels::run_conv1d(weights->packed, {.input = input.data,
                                        .in_count = input.count,
                                        .count = output_floats(input.count) / shape_.out_channels,
                                        .slope = static_cast<float>(slope),
                                        .output = output.data,
                                        .residual = output.residual,
                                        .accumulate = output.accumulate});
  return output.data + (transposed_ ? options_.padding * options_.out_channels : 0);
}

kernels::Conv1dMethod PackedConv1d::method_for(int64_t count) const {
  const bool compact = packing() == Packing::kCompact;
  // Rearranging a transposed kernel costs more than a transform saves if it is done every time.
  if (transposed_ && compact) return kernels::sums_over_taps(kernels::kernels(), shape_);
  const int64_t nominal = count < kShort ? kShort / 4 : kLong;
  return kernels::choose_conv1d(kernels::kernels(), shape_, nominal, compact);
}

// [out, in, taps]
at::Tensor PackedConv1d::plain_weight() const {
  at::Tensor weight = layer_.weight.detach();
  if (scale_ != 1) weight = weight * scale_;
  if (!transposed_) return weight.contiguous();
  const auto& o = options_;
  const int64_t taps = shape_.taps;
  weight = at::constant_pad_nd(weight, {0, taps * o.stride - o.kernel});
  weight = weight.view({o.in_channels, o.out_channels, taps, o.stride});
  weight = weight.flip(2).permute({3, 1, 0, 2}).reshape({-1, o.in_channels, taps});
  return weight.contiguous();
}

kernels::PackedConv1d PackedConv1d::pack(const kernels::Conv1dMethod& method) const {
  const at::NoGradGuard no_gradient;
  const at::Tensor weight = plain_weight();
  const at::Tensor bias =
      layer_.bias.detach().repeat({shape_.out_channels / options_.out_channels});
  kernels::PackedConv1d packed =
      kernels::pack_conv1d(kernels::kernels(), shape_, method, weight.const_data_ptr<float>(),
                           bias.const_data_ptr<float>());
  if (method.keep) page_out(layer_.weight);
  return packed;
}

bool runs_packed(const torch::nn::Module& module, const at::Tensor& x) {
  if (packing() == Packing::kNone || !x.is_cpu()) return false;
  const bool gradients = at::GradMode::is_enabled();
  if (gradients && x.requires_grad()) return false;
  const auto parameters = module.parameters();
  return std::all_of(parameters.begin(), parameters.end(), [&](const at::Tensor& parameter) {
    return parameter.is_cpu() && parameter.scalar_type() == at::kFloat &&
           !(gradients && parameter.requires_grad());
  });
}

}  // namespace musicldm::nn
