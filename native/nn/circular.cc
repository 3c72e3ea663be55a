#include "nn/circular.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>

namespace musicldm::nn {

at::Tensor wrap_axis(const at::Tensor& x, int64_t axis, int64_t before, int64_t after) {
  if (before == 0 && after == 0) return x;
  const int64_t size = x.size(axis);
  if (before <= size && after <= size) {
    return at::cat({x.narrow(axis, size - before, before), x, x.narrow(axis, 0, after)}, axis);
  }
  const auto positions = at::arange(-before, size + after, x.options().dtype(at::kLong));
  return x.index_select(axis, positions.remainder(size));
}

}  // namespace musicldm::nn
