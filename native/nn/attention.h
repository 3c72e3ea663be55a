// Self-attention, shared by the UNet and the VAE.
#pragma once

#include "nn/layers.h"

namespace musicldm::nn {

class SelfAttention {
 public:
  SelfAttention(std::shared_ptr<Linear> query, std::shared_ptr<Linear> key,
                std::shared_ptr<Linear> value, int64_t heads)
      : query_(std::move(query)), key_(std::move(key)), value_(std::move(value)), heads_(heads) {}

  // Tokens [B, N, C] -> heads side by side [B, N, W]; every token attends to all.
  at::Tensor forward(const at::Tensor& tokens) const;

 private:
  at::Tensor forward_packed(const at::Tensor& tokens) const;

  std::shared_ptr<Linear> query_;
  std::shared_ptr<Linear> key_;
  std::shared_ptr<Linear> value_;
  int64_t heads_;
};

}  // namespace musicldm::nn
