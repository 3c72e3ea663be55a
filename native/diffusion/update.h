// The one op behind every solver update, guidance and inversion of a prediction.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace musicldm::diffusion {

// sum_i coefficients[i] * tensors[i] over tensors of one shape. Contiguous float32 on the CPU is
// one parallel pass that rounds each element once; anything else, and whatever needs a gradient,
// goes through ATen with a float32 accumulator. The result has the dtype of the first tensor.
// Throws E_ARGUMENT (no tensor, or counts differ) and E_SHAPE.
at::Tensor linear_combination(const std::vector<at::Tensor>& tensors,
                              const std::vector<double>& coefficients);

}  // namespace musicldm::diffusion
