#include "kernels/cpu/conv1d_direct.h"

#include <algorithm>

#include "kernels/cpu/workers.h"

namespace musicldm::kernels {

namespace {

constexpr int64_t kMostTaps = 64;           // that one product takes; longer kernels take several
constexpr int64_t kBlockInput = 64 * 1024;  // floats of input that a block reads
constexpr int64_t kBlockWeights = 256 * 1024;  // floats of weights that a block uses

}  // namespace

DirectConv1d::DirectConv1d(const PackedConv1d& layer, const Conv1dJob& job)
    : kernels_(*layer.kernels), layer_(layer), shape_(layer.shape), job_(job) {
  fold_ = layer.method.fold;
  reach_ = (shape_.taps - 1) * shape_.dilation;
  depth_ = fold_ > 1 ? (fold_ + reach_) * shape_.in_channels : shape_.in_channels;
  taps_ = fold_ > 1 ? 1 : shape_.taps;
  columns_ = fold_ * shape_.out_channels;
  for (int64_t tap = 0; tap < taps_; ++tap) {
    offsets_.push_back(tap * shape_.dilation * shape_.in_channels);
  }
  const int64_t rows = ceil_div(job.count, fold_);
  const int64_t wanted = kBlockInput / (fold_ * shape_.in_channels) / kernels_.most_rows;
  block_rows_ = std::clamp<int64_t>(wanted, 1, 16) * kernels_.most_rows;
  row_blocks_ = ceil_div(rows, block_rows_);
  const int64_t panels = ceil_div(columns_, kernels_.panel);
  const int64_t fitting = kBlockWeights / (taps_ * depth_ * kernels_.panel);
  block_columns_ = std::clamp<int64_t>(fitting, 1, panels) * kernels_.panel;
  column_blocks_ = ceil_div(columns_, block_columns_);
}

int64_t DirectConv1d::scratch_floats() const {
  return round_up((block_rows_ * fold_ + reach_) * shape_.in_channels, kernels_.panel);
}

// Reads `count` inputs from the one that the output `first` needs first.
void DirectConv1d::read(int64_t first, int64_t count, float* to) const {
  const int64_t channels = shape_.in_channels;
  const int64_t begin = job_.first + first - shape_.before;
  const int64_t from = std::clamp<int64_t>(begin, 0, job_.in_count);
  const int64_t until = std::clamp<int64_t>(begin + count, from, job_.in_count);
  const int64_t zeros = std::min(from - begin, count);
  std::fill_n(to, std::max<int64_t>(zeros, 0) * channels, 0.0F);
  if (until == from) {
    std::fill_n(to, count * channels, 0.0F);
    return;
  }
  float* const inside = to + zeros * channels;
  kernels_.prepare({.from = job_.input + from * channels,
                    .from_stride = channels,
                    .count = until - from,
                    .channels = channels,
                    .filled = channels,
                    .activation = Activation::kLeakyRelu,
                    .slope = job_.slope,
                    .to = inside,
                    .to_stride = channels});
  std::fill(inside + (until - from) * channels, to + count * channels, 0.0F);
}

void DirectConv1d::multiply(const float* from, int64_t first, int64_t rows, int64_t column) const {
  const int64_t row_floats = fold_ * shape_.out_channels;
  const int64_t left = job_.count - first * fold_;
  GemmTask task{.a = from,
                .a_stride = fold_ * shape_.in_channels,
                .tap_offsets = offsets_.data(),
                .taps = taps_,
                .depth = depth_,
                .rows = std::min(rows, left / fold_),
                .b = layer_.weights.data() + column * taps_ * depth_,
                .columns = std::min(block_columns_, columns_ - column),
                .c = job_.output + first * row_floats + column,
                .c_stride = row_floats};
  task.epilogue.bias = layer_.bias.data() + column;
  task.epilogue.accumulate = job_.accumulate;
  task.epilogue.residual_stride = row_floats;
  if (job_.residual) task.epilogue.residual = job_.residual + first * row_floats + column;
  if (task.rows > 0) kernels_.gemm(task);
  if (task.rows == rows) return;
  // A last row that is shorter than `fold`.
  const int64_t rest = (left - task.rows * fold_) * shape_.out_channels - column;
  task.a += task.rows * task.a_stride;
  task.c += task.rows * row_floats;
  if (job_.residual) task.epilogue.residual += task.rows * row_floats;
  task.columns = std::min(task.columns, rest);
  task.rows = 1;
  if (task.columns > 0) kernels_.gemm(task);
}

void DirectConv1d::run_block(int64_t block, float* scratch) const {
  const int64_t first = block % row_blocks_ * block_rows_;
  const int64_t column = block / row_blocks_ * block_columns_;
  const int64_t rows = std::min(block_rows_, ceil_div(job_.count, fold_) - first);
  read(first * fold_, rows * fold_ + reach_, scratch);
  multiply(scratch, first, rows, column);
}

Buffer pack_direct(const KernelTable& kernels, const Conv1dShape& shape, int64_t fold,
                   const float* weight) {
  const int64_t columns = fold * shape.out_channels;
  const int64_t samples = fold > 1 ? fold + (shape.taps - 1) * shape.dilation : shape.taps;
  const int64_t panels = ceil_div(columns, kernels.panel);
  const int64_t panel_floats = samples * shape.in_channels * kernels.panel;
  const Buffer packed(panels * panel_floats);
  run_items(panels, [&](int64_t panel, int64_t) {
    float* const to = packed.data() + panel * panel_floats;
    std::fill_n(to, panel_floats, 0.0F);
    const int64_t first = panel * kernels.panel;
    for (int64_t j = 0; j < std::min(kernels.panel, columns - first); ++j) {
      const int64_t shift = (first + j) / shape.out_channels;
      const float* from =
          weight + (first + j) % shape.out_channels * shape.in_channels * shape.taps;
      for (int64_t tap = 0; tap < shape.taps; ++tap) {
        const int64_t sample = fold > 1 ? shift + tap * shape.dilation : tap;
        float* const row = to + sample * shape.in_channels * kernels.panel + j;
        for (int64_t i = 0; i < shape.in_channels; ++i) {
          row[i * kernels.panel] = from[i * shape.taps + tap];
        }
      }
    }
  });
  return packed;
}

}  // namespace musicldm::kernels
