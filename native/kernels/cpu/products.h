// Matrix products against packed weights, and convolutions computed as such.
#pragma once

#include "kernels/cpu/buffer.h"
#include "kernels/cpu/map.h"
#include "kernels/cpu/winograd.h"

namespace musicldm::kernels {

// What packed weights are made of: value (out, in, tap) is at
// data[out * out_stride + in * in_stride + tap * tap_stride].
struct WeightLayout {
  const float* data = nullptr;
  int64_t out_channels = 0;
  int64_t in_channels = 0;
  int64_t taps = 1;
  int64_t out_stride = 0;
  int64_t in_stride = 0;
  int64_t tap_stride = 0;
};

// Packs to [panel of out][tap][in][column of panel], columns beyond the last are zeros.
Buffer pack_panels(const KernelTable& kernels, const WeightLayout& weight);

// The same with panels whose first half holds columns of the first half of `out`, and whose second
// half holds the columns that gate them. `out_channels` / 2 is a multiple of half a panel.
Buffer pack_gated(const KernelTable& kernels, const WeightLayout& weight);

// A product of all rows of `task`, whose a, b and c cover everything, shared between workers.
void run_product(const KernelTable& kernels, const GemmTask& task);

struct Kernel {
  int64_t height = 1;
  int64_t width = 1;
  int64_t stride = 1;
};

// Any convolution: windows of the input are laid out as rows of a matrix. `packed` has the taps in
// the order of rows, then columns.
void run_direct(const KernelTable& kernels, const Kernel& kernel, const Map& input,
                const float* packed, const ConvOutput& output);

}  // namespace musicldm::kernels
