// Memory that kernels work in.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

namespace musicldm::kernels {

// Uninitialised floats on the CPU, aligned to cache lines, from libtorch's allocator.
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(int64_t floats) : storage_(at::empty({floats}, at::kFloat)) {}
  float* data() const { return storage_.data_ptr<float>(); }
  explicit operator bool() const { return storage_.defined(); }
  int64_t bytes() const { return storage_.defined() ? static_cast<int64_t>(storage_.nbytes()) : 0; }

 private:
  at::Tensor storage_;
};

inline int64_t round_up(int64_t value, int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

inline int64_t ceil_div(int64_t value, int64_t by) { return (value + by - 1) / by; }

}  // namespace musicldm::kernels
