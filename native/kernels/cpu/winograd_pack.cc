#include "kernels/cpu/winograd.h"
#include "kernels/cpu/winograd_points.h"
#include "kernels/cpu/workers.h"
#include "kernels/profile.h"

namespace musicldm::kernels {

namespace {

using Row = const double (*)[3];

Row kernel_rows(int64_t outputs) { return outputs == 4 ? kKernelRows4 : kKernelRows2; }

// The kernels of one input channel and of the columns of one panel, to one row of every plane.
struct PanelRow {
  const float* weight;  // of the first column
  int64_t column_stride;
  int64_t columns;
  float* to;
  int64_t plane_stride;
};

void transform_kernels(WinogradTile tile, const PanelRow& row) {
  const Row down = kernel_rows(tile.height);
  const Row across = kernel_rows(tile.width);
  for (int64_t j = 0; j < row.columns; ++j) {
    const float* w = row.weight + j * row.column_stride;
    for (int64_t p = 0; p < tile.height + 2; ++p) {
      double line[3];
      for (int i = 0; i < 3; ++i) {
        line[i] = down[p][0] * w[i] + down[p][1] * w[3 + i] + down[p][2] * w[6 + i];
      }
      for (int64_t q = 0; q < tile.width + 2; ++q) {
        const double value =
            across[q][0] * line[0] + across[q][1] * line[1] + across[q][2] * line[2];
        row.to[(p * (tile.width + 2) + q) * row.plane_stride + j] = static_cast<float>(value);
      }
    }
  }
}

}  // namespace

Buffer pack_winograd(const KernelTable& kernels, WinogradTile tile, const float* weight,
                     int64_t out_channels, int64_t in_channels) {
  const int64_t panels = ceil_div(out_channels, kernels.panel);
  const int64_t plane = in_channels * kernels.panel;
  const OperatorTimer timer(Operator::kPack);
  const Buffer packed(panels * tile.points() * plane);
  if (out_channels % kernels.panel != 0) {
    std::fill_n(packed.data(), panels * tile.points() * plane, 0.0F);
  }
  run_items(panels, [&](int64_t panel, int64_t) {
    const int64_t first = panel * kernels.panel;
    for (int64_t i = 0; i < in_channels; ++i) {
      transform_kernels(tile, {.weight = weight + (first * in_channels + i) * 9,
                               .column_stride = in_channels * 9,
                               .columns = std::min(kernels.panel, out_channels - first),
                               .to = packed.data() + panel * plane + i * kernels.panel,
                               .plane_stride = panels * plane});
    }
  });
  return packed;
}

}  // namespace musicldm::kernels
