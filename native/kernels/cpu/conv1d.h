// Convolution along time on channels-last samples, of stride 1; a transposed one is such a
// convolution too, whose rows of output are several samples long.
#pragma once

#include "kernels/cpu/buffer.h"
#include "kernels/cpu/kernel_table.h"

namespace musicldm::kernels {

struct Conv1dShape {
  int64_t in_channels = 0;
  int64_t out_channels = 0;
  int64_t taps = 1;
  int64_t dilation = 1;
  int64_t before = 0;  // output i reads inputs i - before + tap * dilation
};

// How to compute a shape. Never measured, so that results are the same on every run.
struct Conv1dMethod {
  int64_t transform = 0;  // samples of a Fourier tile, or 0 for sums over taps
  int64_t fold = 1;       // of sums: outputs that share a row, where there are few channels
  bool keep = true;       // whether packed weights are worth their memory
  bool operator==(const Conv1dMethod&) const = default;
};

struct Conv1dJob {
  const float* input = nullptr;  // [in_count, in_channels]
  int64_t in_count = 0;
  int64_t first = 0;                // which output is first at `output`
  int64_t count = 0;                // outputs
  float slope = 1;                  // of the leaky ReLU that the input goes through
  float* output = nullptr;          // [count, out_channels]
  const float* residual = nullptr;  // like output; may be the same
  bool accumulate = false;          // adds to what the output holds
};

struct PackedConv1d {
  const KernelTable* kernels = nullptr;
  Conv1dShape shape;
  Conv1dMethod method;
  Buffer weights = {};
  Buffer bias = {};
};

// The cheapest method for `count` outputs. `compact` keeps no weights that are larger than plain.
Conv1dMethod choose_conv1d(const KernelTable& kernels, const Conv1dShape& shape, int64_t count,
                           bool compact);

// The method that needs no transform.
Conv1dMethod sums_over_taps(const KernelTable& kernels, const Conv1dShape& shape);

// weight [out, in, taps]; bias [out] or null.
PackedConv1d pack_conv1d(const KernelTable& kernels, const Conv1dShape& shape,
                         const Conv1dMethod& method, const float* weight, const float* bias);

// In libtorch's thread pool.
void run_conv1d(const PackedConv1d& layer, const Conv1dJob& job);

}  // namespace musicldm::kernels
