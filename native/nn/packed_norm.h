// GroupNorm with our kernels.
#pragma once

#include "nn/layers.h"

namespace musicldm::nn {

// [B, C, T, F] in any layout -> the same, channels-last.
at::Tensor forward_packed(const GroupNorm& layer, const at::Tensor& x);

}  // namespace musicldm::nn
