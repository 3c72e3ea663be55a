// Padding of an axis that is a circle.
#pragma once

#include <ATen/core/Tensor.h>

namespace musicldm::nn {

// Continues `axis` of x by `before` and `after` elements of the same circle; the padding may wrap
// more than once. Returns x itself when there is nothing to add.
at::Tensor wrap_axis(const at::Tensor& x, int64_t axis, int64_t before, int64_t after);

}  // namespace musicldm::nn
