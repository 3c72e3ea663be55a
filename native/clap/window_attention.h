// Attention inside the windows of a token map (Swin's, Liu et al., arXiv 2103.14030).
#pragma once

#include <ATen/core/Tensor.h>

#include "nn/dropout.h"

namespace musicldm::clap {

struct Windows {
  int64_t size = 0;   // tokens along each side; N = size^2
  int64_t shift = 0;  // of the grid of windows, down and right, as along circles
};

// qkv [B, H, W, 3 C] of whole windows: queries, keys and values side by side, head-major; bias
// [heads, N, N], added to the scores -> [B, H, W, C]. Tokens that only the circles bring together
// see of each other e^-100. `dropout`, where there is one, applies to the probabilities.
at::Tensor window_attention(const at::Tensor& qkv, const at::Tensor& bias, Windows windows,
                            nn::Dropout* dropout = nullptr);

// Row of a table [(2 size - 1)^2, heads] that holds the bias of each query and key of a window:
// [N * N] i64.
at::Tensor relative_position_index(int64_t size);

}  // namespace musicldm::clap
