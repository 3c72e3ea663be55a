// Packed copies of weights: when they may be used, and when they are out of date.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "kernels/cpu/dispatch.h"

namespace musicldm::nn {

// Whether our kernels may compute a layer from its input, which comes first, and everything else
// that takes part, as far as it is defined: the packing policy allows it, all of them are float32
// on the CPU, and no gradient is wanted of any.
bool runs_packed(at::TensorList tensors);

// Lets the system take back the pages of weights that were packed; it reads them from their file
// again when they are needed. Pages that were written to stay (or go to swap).
void page_out(const at::Tensor& weight);

// Tells whether weights still are what was packed, for the kernels in use.
class PackStamp {
 public:
  PackStamp() = default;
  explicit PackStamp(const std::vector<at::Tensor>& weights);
  bool operator==(const PackStamp& other) const = default;

 private:
  struct Version {
    const void* data;
    int64_t version;
    bool operator==(const Version& other) const = default;
  };
  const kernels::KernelTable* kernels_ = nullptr;
  std::vector<Version> versions_;
};

}  // namespace musicldm::nn
