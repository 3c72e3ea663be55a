// Linear layers on packed weights.
#pragma once

#include <vector>

#include "kernels/cpu/buffer.h"
#include "nn/packed_weights.h"

namespace musicldm::nn {

class PackedLinear {
 public:
  // Products with several weights [out, in] side by side: [..., in] -> [..., sum of outs].
  // `bias` and `residual` may be undefined.
  at::Tensor forward(const at::Tensor& x, const std::vector<at::Tensor>& weights,
                     const at::Tensor& bias, const at::Tensor& residual = {});

  // Exact GELU of the product with one weight.
  at::Tensor forward_gelu(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);

  // The first half of the product times exact GELU of its second half: [..., in] -> [..., out / 2].
  at::Tensor forward_gated(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);

  // Whether the widths suit forward_gated.
  static bool can_gate(const at::Tensor& weight);

 private:
  void pack(const std::vector<at::Tensor>& weights, bool gated);

  PackStamp stamp_;
  kernels::Buffer packed_;
};

}  // namespace musicldm::nn
