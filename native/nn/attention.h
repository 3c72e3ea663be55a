// Self-attention, shared by the UNet, the VAE and the networks of CLAP.
#pragma once

#include "nn/layers.h"

namespace musicldm::nn {

struct AttentionOptions {
  at::Tensor mask = {};  // bool, broadcast to [B, heads, N, N]: false hides a key from a query
  bool causal = false;   // no key behind its query; without a mask
};

// Attention over queries, keys and values side by side: [B, N, 3W] -> heads side by side [B, N, W].
at::Tensor attend(const at::Tensor& projections, int64_t heads, const AttentionOptions& options);

// Queries, keys and values side by side: [..., C] -> [..., 3 W], in one product where weights are
// packed.
at::Tensor project_together(const Linear& query, const Linear& key, const Linear& value,
                            const at::Tensor& tokens);

class SelfAttention {
 public:
  SelfAttention(std::shared_ptr<Linear> query, std::shared_ptr<Linear> key,
                std::shared_ptr<Linear> value, int64_t heads)
      : query_(std::move(query)), key_(std::move(key)), value_(std::move(value)), heads_(heads) {}

  // Tokens [B, N, C] -> heads side by side [B, N, W]; every token attends to all, or to what the
  // mask shows.
  at::Tensor forward(const at::Tensor& tokens, const at::Tensor& mask = {}) const;

 private:
  std::shared_ptr<Linear> query_;
  std::shared_ptr<Linear> key_;
  std::shared_ptr<Linear> value_;
  int64_t heads_;
};

}  // namespace musicldm::nn
