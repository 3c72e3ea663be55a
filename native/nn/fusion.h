// What a layer does to its input and its output besides its own product, in one pass where packed
// weights allow it.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>

namespace musicldm::nn {

class GroupNorm;

struct Fusion {
  at::Tensor skip = {};              // channels that are appended to the input
  const GroupNorm* norm = nullptr;   // of the input
  bool silu = false;                 // after the norm
  std::array<int64_t, 2> size = {};  // nearest-neighbour upsampling of that; {} keeps the size
  at::Tensor shift = {};             // [B, C'] added to all positions of the output
  at::Tensor residual = {};          // added to the output
};

}  // namespace musicldm::nn
