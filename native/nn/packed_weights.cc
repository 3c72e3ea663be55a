#include "nn/packed_weights.h"

#include <ATen/core/grad_mode.h>

#include "nn/packing.h"

namespace musicldm::nn {

bool runs_packed(const at::Tensor& x, const at::Tensor& weight) {
  const auto fits = [](const at::Tensor& tensor) {
    return tensor.is_cpu() && tensor.scalar_type() == at::kFloat &&
           !(at::GradMode::is_enabled() && tensor.requires_grad());
  };
  return packing() != Packing::kNone && fits(x) && fits(weight) && x.numel() > 0;
}

PackStamp::PackStamp(const std::vector<at::Tensor>& weights) : kernels_(&kernels::kernels()) {
  for (const at::Tensor& weight : weights) {
    const int64_t version = weight.is_inference() ? 0 : static_cast<int64_t>(weight._version());
    versions_.push_back({weight.const_data_ptr(), version});
  }
}

}  // namespace musicldm::nn
