// Sums over taps: a matrix product whose rows of input overlap.
#pragma once

#include <vector>

#include "kernels/cpu/conv1d.h"

namespace musicldm::kernels {

class DirectConv1d {
 public:
  DirectConv1d(const PackedConv1d& layer, const Conv1dJob& job);
  int64_t blocks() const { return row_blocks_ * column_blocks_; }
  int64_t scratch_floats() const;
  void run_block(int64_t block, float* scratch) const;

 private:
  void read(int64_t first, int64_t count, float* to) const;
  void multiply(const float* from, int64_t first, int64_t rows, int64_t column) const;

  const KernelTable& kernels_;
  const PackedConv1d& layer_;
  const Conv1dShape& shape_;
  const Conv1dJob& job_;
  int64_t fold_;
  int64_t depth_;    // of one tap
  int64_t taps_;     // of the product
  int64_t columns_;  // of the product
  int64_t reach_;    // inputs that an output needs besides one
  std::vector<int64_t> offsets_;
  int64_t block_rows_ = 0;
  int64_t block_columns_ = 0;
  int64_t row_blocks_ = 0;
  int64_t column_blocks_ = 0;
};

Buffer pack_direct(const KernelTable& kernels, const Conv1dShape& shape, int64_t fold,
                   const float* weight);

}  // namespace musicldm::kernels
