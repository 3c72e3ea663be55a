// Winograd convolution with 3x3 kernels of stride 1: tiles of the output are products of as many
// planes as the tile has points. Lavin and Gray, arXiv 1509.09308.
#pragma once

#include "kernels/cpu/buffer.h"
#include "kernels/cpu/map.h"

namespace musicldm::kernels {

struct ConvOutput {
  float* data = nullptr;  // [batch, height, width, channels]
  int64_t height = 0;
  int64_t width = 0;
  int64_t channels = 0;
  const float* bias = nullptr;      // none, [channels], or [batch, channels] with bias_stride
  int64_t bias_stride = 0;          // between items
  const float* residual = nullptr;  // shaped as data

  const float* bias_of(int64_t item, int64_t channel) const {
    return bias ? bias + item * bias_stride + channel : nullptr;
  }
};

// Transforms weight [out, in, 3, 3] to [point][panel of out][in][column of panel].
Buffer pack_winograd(const KernelTable& kernels, WinogradTile tile, const float* weight,
                     int64_t out_channels, int64_t in_channels);

void run_winograd(const KernelTable& kernels, WinogradTile tile, const Map& input,
                  const float* packed, const ConvOutput& output);

}  // namespace musicldm::kernels
