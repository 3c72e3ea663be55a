#include "nn/packed_norm.h"

#include <ATen/ops/empty_like.h>

#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/norm.h"
#include "kernels/cpu/workers.h"

namespace musicldm::nn {

at::Tensor forward_packed(const GroupNorm& layer, const at::Tensor& x) {
  constexpr int64_t kPixelsOfPiece = 64;
  const at::Tensor input = x.contiguous(at::MemoryFormat::ChannelsLast);
  at::Tensor out = at::empty_like(input);
  kernels::Map map;
  map.parts[0] = {input.const_data_ptr<float>(), x.size(1)};
  map.batch = x.size(0);
  map.height = x.size(2);
  map.width = x.size(3);
  const kernels::KernelTable& table = kernels::kernels();
  const kernels::Buffer norm = kernels::group_norm(table, map, layer.task());
  const int64_t channels = x.size(1);
  const int64_t pixels = map.height * map.width;
  const int64_t pieces = kernels::ceil_div(pixels, kPixelsOfPiece);
  float* const to = out.mutable_data_ptr<float>();
  kernels::run_items(map.batch * pieces, [&](int64_t index, int64_t) {
    const int64_t item = index / pieces;
    const int64_t first = index % pieces * kPixelsOfPiece;
    const int64_t at = (item * pixels + first) * channels;
    const float* const scale = norm.data() + item * channels;
    table.prepare({.from = map.parts[0].data + at,
                   .from_stride = channels,
                   .count = std::min(kPixelsOfPiece, pixels - first),
                   .channels = channels,
                   .filled = channels,
                   .scale = scale,
                   .shift = scale + map.batch * channels,
                   .to = to + at,
                   .to_stride = channels});
  });
  return out;
}

}  // namespace musicldm::nn
