// Group normalisation as a scale and a shift per item and channel, for a Map to apply.
#pragma once

#include "kernels/cpu/buffer.h"
#include "kernels/cpu/map.h"

namespace musicldm::kernels {

struct GroupNormTask {
  int64_t groups = 1;
  double eps = 0;
  const float* weight = nullptr;  // [channels]
  const float* bias = nullptr;
};

// Scales [batch, channels], then shifts likewise. Moments are summed in an order that does not
// depend on the number of threads, around the first pixel of each channel, in double across pieces.
Buffer group_norm(const KernelTable& kernels, const Map& map, const GroupNormTask& norm);

}  // namespace musicldm::kernels
