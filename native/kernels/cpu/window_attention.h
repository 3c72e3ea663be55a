// Self-attention inside the windows of a map, which may be shifted along both axes as along
// circles. Tokens are read where they are and written there again: no window is ever laid out.
#pragma once

#include "kernels/cpu/kernel_table.h"

namespace musicldm::kernels {

struct WindowAttentionTask {
  const float* tokens = nullptr;  // [batch, height, width, 3 * heads * head_width]: q, k and v
  int64_t batch = 0;
  int64_t height = 0;  // whole windows, as width
  int64_t width = 0;
  int64_t window = 0;  // tokens along each side
  int64_t shift = 0;   // the first window starts at this row and column
  int64_t heads = 0;
  int64_t head_width = 0;
  // [kinds, heads, window^2, window^2], added to the scores. With a shift there are 4 kinds of
  // windows: all others, those of the last column, of the last row, and the last one.
  const float* bias = nullptr;
  float* out = nullptr;  // [batch, height, width, heads * head_width]
};

void run_window_attention(const KernelTable& kernels, const WindowAttentionTask& task);

}  // namespace musicldm::kernels
