#include "nn/packed_conv2d.h"

#include <ATen/ops/empty.h>

#include <algorithm>

#include "kernels/cpu/norm.h"
#include "nn/packing.h"

namespace musicldm::nn {

namespace {

// One axis of the input as the kernel sees it: padded, upsampled, maybe a circle.
struct Axis {
  int64_t source;        // positions of the input
  int64_t virtual_size;  // after upsampling
  int64_t before;        // padding
  int64_t after;
  bool circular;
};

// Which source position each padded one shows; -1 is zero. Nearest neighbours as ATen's
// upsample_nearest2d chooses them, in float.
std::vector<int32_t> positions(const Axis& axis) {
  const float scale = static_cast<float>(axis.source) / static_cast<float>(axis.virtual_size);
  std::vector<int32_t> result;
  result.reserve(axis.before + axis.virtual_size + axis.after);
  for (int64_t i = -axis.before; i < axis.virtual_size + axis.after; ++i) {
    int64_t at = i;
    if (axis.circular) at = (i % axis.virtual_size + axis.virtual_size) % axis.virtual_size;
    if (at < 0 || at >= axis.virtual_size) {
      result.push_back(-1);
      continue;
    }
    const auto nearest = static_cast<int64_t>(static_cast<float>(at) * scale);
    const bool same = axis.virtual_size == axis.source;
    result.push_back(static_cast<int32_t>(same ? at : std::min(nearest, axis.source - 1)));
  }
  return result;
}

kernels::Map read_map(const Conv2dOptions& options, const at::Tensor& x, const at::Tensor& skip,
                      std::array<int64_t, 2> size) {
  kernels::Map map;
  map.parts[0] = {x.const_data_ptr<float>(), x.size(1)};
  if (skip.defined()) map.parts[1] = {skip.const_data_ptr<float>(), skip.size(1)};
  map.batch = x.size(0);
  map.height = x.size(2);
  map.width = x.size(3);
  const Padding2d& padding = options.padding;
  map.rows = positions({map.height, size[0], padding.top, padding.bottom, CircularTime::enabled()});
  map.columns = positions({map.width, size[1], padding.left, padding.right, false});
  return map;
}

int64_t output_size(int64_t padded, const Conv2dOptions& options) {
  return (padded - options.kernel) / options.stride + 1;
}

// Of what is defined.
at::Tensor sum(const at::Tensor& a, const at::Tensor& b) {
  if (!a.defined() || !b.defined()) return a.defined() ? a.contiguous() : b;
  return (a + b).contiguous();
}

at::Tensor channels_last(const at::Tensor& x) {
  return x.defined() ? x.contiguous(at::MemoryFormat::ChannelsLast) : x;
}

}  // namespace

at::Tensor forward_packed(const Conv2d& layer, const at::Tensor& x, const Fusion& fusion,
                          PackedConv2d& packed) {
  const Conv2dOptions& options = layer.options();
  const at::Tensor input = channels_last(x);
  const at::Tensor skip = channels_last(fusion.skip);
  const at::Tensor residual = channels_last(fusion.residual);
  const bool resized = fusion.size[0] > 0;
  const std::array<int64_t, 2> size =
      resized ? fusion.size : std::array<int64_t, 2>{x.size(2), x.size(3)};
  kernels::Map map = read_map(options, input, skip, size);
  const kernels::ConvShape shape{
      .batch = map.batch,
      .height = output_size(static_cast<int64_t>(map.rows.size()), options),
      .width = output_size(static_cast<int64_t>(map.columns.size()), options),
      .in_channels = options.in_channels,
      .out_channels = options.out_channels,
      .kernel = {options.kernel, options.kernel, options.stride}};
  const PackStamp stamp({layer.weight});
  if (!packed.weights || !(packed.stamp == stamp)) {
    packed.weights = std::make_unique<kernels::PackedConv2d>(
        kernels::kernels(), layer.weight.const_data_ptr<float>(), shape);
    packed.stamp = stamp;
  }
  const kernels::KernelTable& table = packed.weights->kernels();
  kernels::Buffer norm;
  if (fusion.norm) {
    norm = kernels::group_norm(table, map, fusion.norm->task());
    map.scale = norm.data();
    map.shift = norm.data() + map.batch * map.channels();
  }
  if (fusion.silu) map.activation = kernels::Activation::kSilu;
  const at::Tensor bias = sum(fusion.shift, layer.bias);
  at::Tensor out = at::empty({shape.batch, shape.out_channels, shape.height, shape.width},
                             x.options(), at::MemoryFormat::ChannelsLast);
  const kernels::ConvAlgorithm algorithm =
      kernels::choose_algorithm(table, shape, packing() == Packing::kCompact);
  if (packed.weights->prepare(algorithm)) page_out(layer.weight);
  packed.weights->run(map,
                      {.data = out.mutable_data_ptr<float>(),
                       .height = shape.height,
                       .width = shape.width,
                       .channels = shape.out_channels,
                       .bias = bias.defined() ? bias.const_data_ptr<float>() : nullptr,
                       .bias_stride = fusion.shift.defined() ? shape.out_channels : 0,
                       .residual = residual.defined() ? residual.const_data_ptr<float>() : nullptr},
                      algorithm);
  return out;
}

}  // namespace musicldm::nn
