#include "tensor/finite.h"

#include <ATen/Functions.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>

namespace musicldm::tensor {
namespace {

constexpr int64_t kBlock = 16384;

// NaN and infinity are the values whose exponent bits are all set.
template <class Word>
bool block_is_finite(const Word* words, int64_t count, Word exponent) {
  Word found = 0;
  for (int64_t i = 0; i < count; ++i) found |= (words[i] & exponent) == exponent ? 1 : 0;
  return found == 0;
}

template <class Word>
bool memory_is_finite(const at::Tensor& x, Word exponent) {
  const auto* words = static_cast<const Word*>(x.const_data_ptr());
  std::atomic<bool> finite{true};
  at::parallel_for(0, x.numel(), kBlock, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end && finite.load(std::memory_order_relaxed); i += kBlock) {
      const int64_t count = std::min(kBlock, end - i);
      if (!block_is_finite(words + i, count, exponent)) finite.store(false);
    }
  });
  return finite.load();
}

}  // namespace

bool all_finite(const at::Tensor& x) {
  if (!at::isFloatingType(x.scalar_type()) || x.numel() == 0) return true;
  const at::Tensor values = x.detach();
  if (!values.is_cpu()) return at::isfinite(values).all().item<bool>();
  // The order of the elements is irrelevant, so a permuted tensor needs no copy.
  const at::Tensor dense = values.is_non_overlapping_and_dense() ? values : values.contiguous();
  switch (dense.scalar_type()) {
    case at::kFloat:
      return memory_is_finite<uint32_t>(dense, 0x7f800000U);
    case at::kHalf:
      return memory_is_finite<uint16_t>(dense, 0x7c00U);
    case at::kBFloat16:
      return memory_is_finite<uint16_t>(dense, 0x7f80U);
    default:
      return at::isfinite(dense).all().item<bool>();
  }
}

}  // namespace musicldm::tensor
