// The check for NaN and infinity at the borders of stages.
#pragma once

#include <ATen/core/Tensor.h>

namespace musicldm::tensor {

// True when no element is NaN or infinite: one pass over the memory, no temporary on the CPU.
bool all_finite(const at::Tensor& x);

}  // namespace musicldm::tensor
