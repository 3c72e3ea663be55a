#include "kernels/cpu/conv2d.h"

namespace musicldm::kernels {

namespace {

// Multiplications that a core does while it reads a float of weights from memory, and while it
// writes and reads back a transformed value: coarse averages of what current x86 cores do.
constexpr double kWeightCost = 36;
constexpr double kTransformCost = 6;

WinogradTile tile_of(ConvAlgorithm algorithm) {
  switch (algorithm) {
    case ConvAlgorithm::kWinograd4x4:
      return {4, 4};
    case ConvAlgorithm::kWinograd4x2:
      return {4, 2};
    default:
      return {2, 2};
  }
}

double direct_cost(const KernelTable& kernels, const ConvShape& shape) {
  const auto taps = static_cast<double>(shape.kernel.height * shape.kernel.width);
  const auto pixels = static_cast<double>(shape.batch * shape.height * shape.width);
  const auto in = static_cast<double>(shape.in_channels);
  const auto out = static_cast<double>(round_up(shape.out_channels, kernels.lanes));
  return taps * in * (pixels * (out + kTransformCost) + kWeightCost * out);
}

double winograd_cost(const KernelTable& kernels, const ConvShape& shape, WinogradTile tile) {
  const auto points = static_cast<double>(tile.points());
  const auto tiles = static_cast<double>(shape.batch * ceil_div(shape.height, tile.height) *
                                         ceil_div(shape.width, tile.width));
  const auto in = static_cast<double>(round_up(shape.in_channels, kernels.lanes));
  const auto out = static_cast<double>(round_up(shape.out_channels, kernels.lanes));
  return points * (tiles * (in * out + kTransformCost * (in + out)) + kWeightCost * in * out);
}

}  // namespace

ConvAlgorithm choose_algorithm(const KernelTable& kernels, const ConvShape& shape, bool compact) {
  const Kernel& kernel = shape.kernel;
  if (compact || kernel.height != 3 || kernel.width != 3 || kernel.stride != 1) {
    return ConvAlgorithm::kDirect;
  }
  ConvAlgorithm best = ConvAlgorithm::kDirect;
  double least = direct_cost(kernels, shape);
  for (const auto algorithm :
       {ConvAlgorithm::kWinograd4x4, ConvAlgorithm::kWinograd4x2, ConvAlgorithm::kWinograd2x2}) {
    const double cost = winograd_cost(kernels, shape, tile_of(algorithm));
    if (cost < least) {
      least = cost;
      best = algorithm;
    }
  }
  return best;
}

Buffer PackedConv2d::pack(ConvAlgorithm algorithm) const {
  if (algorithm != ConvAlgorithm::kDirect) {
    return pack_winograd(kernels_, tile_of(algorithm), weight_, shape_.out_channels,
                         shape_.in_channels);
  }
  const int64_t taps = shape_.kernel.height * shape_.kernel.width;
  return pack_panels(kernels_, {.data = weight_,
                                .out_channels = shape_.out_channels,
                                .in_channels = shape_.in_channels,
                                .taps = taps,
                                .out_stride = shape_.in_channels * taps,
                                .in_stride = taps,
                                .tap_stride = 1});
}

bool PackedConv2d::prepare(ConvAlgorithm algorithm) {
  Buffer& packed = packed_[algorithm];
  if (packed) return false;
  packed = pack(algorithm);
  return true;
}

void PackedConv2d::run(const Map& input, const ConvOutput& output, ConvAlgorithm algorithm) const {
  const Buffer& packed = packed_.at(algorithm);
  if (algorithm == ConvAlgorithm::kDirect) {
    run_direct(kernels_, shape_.kernel, input, packed.data(), output);
  } else {
    run_winograd(kernels_, tile_of(algorithm), input, packed.data(), output);
  }
}

}  // namespace musicldm::kernels
