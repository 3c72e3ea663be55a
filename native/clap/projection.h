// From the width of a tower into the space that both towers share.
#pragma once

#include "nn/block.h"
#include "nn/layers.h"

namespace musicldm::clap {

// Linear, activation, linear: [B, C] -> [B, W].
class Projection : public nn::Block {
 public:
  Projection(int64_t in_width, int64_t out_width, bool uses_gelu);
  at::Tensor forward(const at::Tensor& x) const;

 private:
  bool uses_gelu_;  // otherwise ReLU
  std::shared_ptr<nn::Linear> linear1_;
  std::shared_ptr<nn::Linear> linear2_;
};

}  // namespace musicldm::clap
