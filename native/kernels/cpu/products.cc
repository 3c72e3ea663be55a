#include "kernels/cpu/products.h"

#include "kernels/cpu/workers.h"
#include "kernels/profile.h"

namespace musicldm::kernels {

namespace {

// Writes column `to` of a panel from output channel `from`.
void pack_column(const KernelTable& kernels, const WeightLayout& weight, int64_t from, float* to) {
  for (int64_t tap = 0; tap < weight.taps; ++tap) {
    const float* source = weight.data + from * weight.out_stride + tap * weight.tap_stride;
    for (int64_t i = 0; i < weight.in_channels; ++i) {
      *to = source[i * weight.in_stride];
      to += kernels.panel;
    }
  }
}

// `channel_of(panel, column)` says which output channel a column holds, or -1.
template <class ChannelOf>
Buffer pack(const KernelTable& kernels, const WeightLayout& weight, const ChannelOf& channel_of) {
  const int64_t panels = ceil_div(weight.out_channels, kernels.panel);
  const int64_t floats = weight.taps * weight.in_channels * kernels.panel;
  const OperatorTimer timer(Operator::kPack);
  const Buffer packed(panels * floats);
  run_items(panels, [&](int64_t panel, int64_t) {
    float* to = packed.data() + panel * floats;
    for (int64_t column = 0; column < kernels.panel; ++column) {
      const int64_t channel = channel_of(panel, column);
      if (channel >= 0) {
        pack_column(kernels, weight, channel, to + column);
      } else {
        for (int64_t i = column; i < floats; i += kernels.panel) to[i] = 0;
      }
    }
  });
  return packed;
}

// Rows that one worker multiplies at a time, at most.
constexpr int64_t kRowBlock = 56;

struct Blocks {
  int64_t rows;     // of a block
  int64_t columns;  // likewise, whole panels
};

// Few rows are not split, so that each weight is read once; then columns are shared out.
Blocks choose_blocks(const KernelTable& kernels, const GemmTask& task) {
  const int64_t panels = ceil_div(task.columns, kernels.panel);
  if (task.rows <= 4 * kRowBlock) {
    const int64_t each = std::max<int64_t>(1, panels / (4 * worker_count(panels)));
    return {task.rows, each * kernels.panel};
  }
  // As many blocks for each worker.
  const int64_t blocks = round_up(ceil_div(task.rows, kRowBlock), 2 * worker_count(task.rows));
  return {ceil_div(task.rows, blocks), panels * kernels.panel};
}

GemmTask block_of(const GemmTask& task, const Blocks& blocks, int64_t row, int64_t column) {
  const bool gated = task.epilogue.activation == Activation::kGatedGelu;
  const int64_t out_column = gated ? column / 2 : column;
  GemmTask part = task;
  part.rows = std::min(blocks.rows, task.rows - row);
  part.columns = std::min(blocks.columns, task.columns - column);
  part.a += row * task.a_stride;
  part.b += column * task.taps * task.depth;
  part.c += row * task.c_stride + out_column;
  Epilogue& epilogue = part.epilogue;
  if (epilogue.bias) epilogue.bias += column;
  if (epilogue.residual) epilogue.residual += row * epilogue.residual_stride + out_column;
  return part;
}

}  // namespace

Buffer pack_panels(const KernelTable& kernels, const WeightLayout& weight) {
  return pack(kernels, weight, [&](int64_t panel, int64_t column) {
    const int64_t channel = panel * kernels.panel + column;
    return channel < weight.out_channels ? channel : -1;
  });
}

Buffer pack_gated(const KernelTable& kernels, const WeightLayout& weight) {
  const int64_t half_panel = kernels.panel / 2;
  return pack(kernels, weight, [&](int64_t panel, int64_t column) {
    const int64_t gate = column < half_panel ? 0 : weight.out_channels / 2 - half_panel;
    return panel * half_panel + column + gate;
  });
}

void run_product(const KernelTable& kernels, const GemmTask& task) {
  const OperatorTimer timer(Operator::kProduct);
  const Blocks blocks = choose_blocks(kernels, task);
  const int64_t down = ceil_div(task.rows, blocks.rows);
  const int64_t across = ceil_div(task.columns, blocks.columns);
  run_items(down * across, [&](int64_t item, int64_t) {
    const int64_t row = item / across * blocks.rows;
    kernels.gemm(block_of(task, blocks, row, item % across * blocks.columns));
  });
}

}  // namespace musicldm::kernels
