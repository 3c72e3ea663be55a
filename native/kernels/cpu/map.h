// What a convolution reads: a channels-last map, seen through padding, upsampling, normalisation
// and activation, which are applied on the way into a cache-sized window and never in memory.
#pragma once

#include <vector>

#include "kernels/cpu/kernel_table.h"

namespace musicldm::kernels {

struct MapPart {
  const float* data = nullptr;  // [batch, height, width, channels]
  int64_t channels = 0;
};

struct Map {
  MapPart parts[2];  // channels of the second follow those of the first
  int64_t batch = 0;
  int64_t height = 0;
  int64_t width = 0;
  // For every row (column) that the kernel may touch, from the first padded one: which row of the
  // map it is, or -1 for zeros.
  std::vector<int32_t> rows;
  std::vector<int32_t> columns;
  const float* scale = nullptr;  // [batch, channels], with shift
  const float* shift = nullptr;
  Activation activation = Activation::kNone;

  int64_t channels() const { return parts[0].channels + parts[1].channels; }
};

// A rectangle of rows, columns and channels of one item.
struct Window {
  int64_t item = 0;
  int64_t row = 0;  // counted in Map::rows
  int64_t rows = 0;
  int64_t column = 0;
  int64_t columns = 0;
  int64_t channel = 0;
  int64_t channels = 0;
};

// Reads a window to `to[row][column][pitch]`; rows and columns beyond the map's are zeros, and so
// are the floats of a pixel beyond the window's channels.
void read_window(const KernelTable& kernels, const Map& map, const Window& window, float* to,
                 int64_t pitch);

}  // namespace musicldm::kernels
