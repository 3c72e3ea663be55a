// Conv2d on packed weights.
#pragma once

#include <memory>

#include "kernels/cpu/conv2d.h"
#include "nn/fusion.h"
#include "nn/layers.h"
#include "nn/packed_weights.h"

namespace musicldm::nn {

struct PackedConv2d {
  PackStamp stamp;
  std::unique_ptr<kernels::PackedConv2d> weights;
};

// [B, C, T, F] in any layout -> [B, C', T', F'] channels-last. `packed` is renewed when the weights
// or the kernels have changed.
at::Tensor forward_packed(const Conv2d& layer, const at::Tensor& x, const Fusion& fusion,
                          PackedConv2d& packed);

}  // namespace musicldm::nn
