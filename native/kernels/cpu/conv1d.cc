#include "kernels/cpu/conv1d.h"

#include <algorithm>

#include "kernels/cpu/conv1d_direct.h"
#include "kernels/cpu/conv1d_fourier.h"
#include "kernels/cpu/fourier.h"
#include "kernels/cpu/workers.h"
#include "kernels/profile.h"

namespace musicldm::kernels {

namespace {

// Costs are in multiply-adds of one lane; as measured on long signals.
constexpr double kProductEfficiency = 0.8;
constexpr double kWeightRead = 40;  // a packed weight that comes from memory
constexpr double kNarrow = 0.7;     // of transforms, with vectors of less than 16 lanes

// Spectra that are kept may be this many times as large as the kernel: short kernels would take
// eight times for a few hundredths of the time.
constexpr int64_t kMostGrowth = 7;

struct Transform {
  int64_t size;
  double sample_cost;  // of a sample of a channel, to or from its spectrum
};
constexpr Transform kTransforms[] = {{16, 70}, {32, 76}, {64, 105}};

double direct_cost(const KernelTable& kernels, const Conv1dShape& shape, double count,
                   int64_t fold) {
  const auto columns = static_cast<double>(round_up(fold * shape.out_channels, kernels.panel));
  const int64_t samples = fold > 1 ? fold + (shape.taps - 1) * shape.dilation : shape.taps;
  const auto depth = static_cast<double>(samples * shape.in_channels);
  const double rows = count / static_cast<double>(fold);
  return rows * depth * columns / kProductEfficiency + depth * columns * kWeightRead;
}

double fourier_cost(const KernelTable& kernels, const Conv1dShape& shape, int64_t count,
                    const Transform& transform) {
  const auto planes = static_cast<double>(fourier_planes(transform.size));
  const auto tiles = static_cast<double>(fourier_tiles(shape, transform.size, count));
  const auto in = static_cast<double>(shape.in_channels);
  const auto out = static_cast<double>(round_up(shape.out_channels, kernels.panel));
  const double sample_cost = transform.sample_cost * (kernels.lanes < 16 ? kNarrow : 1);
  return tiles * planes * in * out / kProductEfficiency +
         tiles * static_cast<double>(transform.size) * (in + out) * sample_cost +
         planes * in * out * kWeightRead;
}

template <class Method>
void run_blocks(const Method& method) {
  const int64_t blocks = method.blocks();
  const int64_t floats = method.scratch_floats();
  const Buffer scratch(worker_count(blocks) * floats);
  run_items(blocks, [&](int64_t block, int64_t worker) {
    method.run_block(block, scratch.data() + worker * floats);
  });
}

}  // namespace

Conv1dMethod sums_over_taps(const KernelTable& kernels, const Conv1dShape& shape) {
  const int64_t most = shape.dilation == 1 ? kernels.panel / shape.out_channels : 1;
  return {.fold = std::max<int64_t>(most, 1)};
}

Conv1dMethod choose_conv1d(const KernelTable& kernels, const Conv1dShape& shape, int64_t count,
                           bool compact) {
  Conv1dMethod best = sums_over_taps(kernels, shape);
  double least = direct_cost(kernels, shape, static_cast<double>(count), best.fold);
  for (const Transform& transform : kTransforms) {
    if (transform.size < 2 * shape.taps) continue;
    if (fourier_planes(transform.size) > kMostGrowth * shape.taps) continue;
    const double cost = fourier_cost(kernels, shape, count, transform);
    if (cost >= least) continue;
    least = cost;
    best = {.transform = transform.size, .fold = 1, .keep = !compact};
  }
  return best;
}

PackedConv1d pack_conv1d(const KernelTable& kernels, const Conv1dShape& shape,
                         const Conv1dMethod& method, const float* weight, const float* bias) {
  const OperatorTimer timer(Operator::kPack);
  PackedConv1d layer{.kernels = &kernels, .shape = shape, .method = method};
  layer.weights = method.transform ? pack_fourier(kernels, shape, method.transform, weight)
                                   : pack_direct(kernels, shape, method.fold, weight);
  layer.bias = Buffer(method.fold * shape.out_channels);
  for (int64_t i = 0; i < method.fold * shape.out_channels; ++i) {
    layer.bias.data()[i] = bias ? bias[i % shape.out_channels] : 0.0F;
  }
  return layer;
}

void run_conv1d(const PackedConv1d& layer, const Conv1dJob& job) {
  const OperatorTimer timer(Operator::kConv1d);
  if (!layer.method.transform) return run_blocks(DirectConv1d(layer, job));
  const FourierConv1d method(layer, job);
  if (method.prefers_together()) return method.run_together();
  run_blocks(method);
}

}  // namespace musicldm::kernels
