// Self-attention of all tokens to all tokens, head by head. Scores of a block of queries to every
// key stay in the cache of one worker, so memory grows with the number of tokens, not its square.
#pragma once

#include "kernels/cpu/kernel_table.h"

namespace musicldm::kernels {

struct AttentionTask {
  const float* queries = nullptr;  // [batch, tokens, stride], head h from column h * width
  const float* keys = nullptr;
  const float* values = nullptr;
  int64_t stride = 0;  // between tokens
  int64_t batch = 0;
  int64_t tokens = 0;
  int64_t heads = 0;
  int64_t width = 0;     // of a head
  float* out = nullptr;  // [batch, tokens, heads * width]
};

void run_attention(const KernelTable& kernels, const AttentionTask& task);

}  // namespace musicldm::kernels
