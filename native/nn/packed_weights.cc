#include "nn/packed_weights.h"

#include <ATen/core/grad_mode.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>

#include "nn/packing.h"

namespace musicldm::nn {

bool runs_packed(at::TensorList tensors) {
  const auto fits = [](const at::Tensor& tensor) {
    return !tensor.defined() || (tensor.is_cpu() && tensor.scalar_type() == at::kFloat &&
                                 !(at::GradMode::is_enabled() && tensor.requires_grad()));
  };
  return packing() != Packing::kNone && std::ranges::all_of(tensors, fits) &&
         tensors.front().numel() > 0;
}

void page_out(const at::Tensor& weight) {
#ifdef MADV_PAGEOUT
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<uintptr_t>(weight.const_data_ptr());
  const uintptr_t first = (begin + page - 1) / page * page;
  const uintptr_t last = (begin + weight.nbytes()) / page * page;
  // A hint: where it is not taken, memory stays as it was.
  if (first < last) madvise(reinterpret_cast<void*>(first), last - first, MADV_PAGEOUT);
#else
  static_cast<void>(weight);
#endif
}

PackStamp::PackStamp(const std::vector<at::Tensor>& weights) : kernels_(&kernels::kernels()) {
  for (const at::Tensor& weight : weights) {
    const int64_t version = weight.is_inference() ? 0 : static_cast<int64_t>(weight._version());
    versions_.push_back({weight.const_data_ptr(), version});
  }
}

}  // namespace musicldm::nn
