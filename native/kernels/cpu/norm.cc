#include "kernels/cpu/norm.h"

#include <cmath>
#include <vector>

#include "kernels/cpu/workers.h"
#include "kernels/profile.h"

namespace musicldm::kernels {

namespace {

constexpr int64_t kPixelsOfPiece = 512;

// Sums of every piece of every item: [item][piece][channel].
struct Moments {
  int64_t pieces;
  int64_t channels;
  std::vector<double> sums;
  std::vector<double> squares;

  int64_t at(int64_t item, int64_t piece, int64_t channel) const {
    return (item * pieces + piece) * channels + channel;
  }
};

Moments sum_pieces(const KernelTable& kernels, const Map& map) {
  const int64_t pixels = map.height * map.width;
  Moments moments{ceil_div(pixels, kPixelsOfPiece), map.channels(), {}, {}};
  moments.sums.resize(map.batch * moments.pieces * moments.channels);
  moments.squares.resize(moments.sums.size());
  run_items(map.batch * moments.pieces, [&](int64_t index, int64_t) {
    const int64_t item = index / moments.pieces;
    const int64_t first = index % moments.pieces * kPixelsOfPiece;
    int64_t channel = 0;
    for (const MapPart& part : map.parts) {
      if (part.channels == 0) continue;
      const float* const origin = part.data + item * pixels * part.channels;
      const int64_t at = moments.at(item, index % moments.pieces, channel);
      kernels.moments({.from = origin + first * part.channels,
                       .from_stride = part.channels,
                       .count = std::min(kPixelsOfPiece, pixels - first),
                       .channels = part.channels,
                       .origin = origin,
                       .sums = moments.sums.data() + at,
                       .squares = moments.squares.data() + at});
      channel += part.channels;
    }
  });
  return moments;
}

// The first pixel's value of a channel, around which its moments were summed.
double origin_of(const Map& map, int64_t item, int64_t channel) {
  const MapPart& part = map.parts[channel < map.parts[0].channels ? 0 : 1];
  const int64_t own = channel < map.parts[0].channels ? channel : channel - map.parts[0].channels;
  return static_cast<double>(part.data[item * map.height * map.width * part.channels + own]);
}

struct Group {
  int64_t item;
  int64_t first;  // channel
  int64_t channels;
};

struct Spread {
  double mean;
  double variance;
};

Spread spread_of(const Map& map, const Moments& moments, const Group& group) {
  const auto pixels = static_cast<double>(map.height * map.width);
  const auto total = [&](const std::vector<double>& values, int64_t channel) {
    double result = 0;
    for (int64_t i = 0; i < moments.pieces; ++i)
      result += values[moments.at(group.item, i, channel)];
    return result;
  };
  const double count = pixels * static_cast<double>(group.channels);
  double mean = 0;
  for (int64_t c = group.first; c < group.first + group.channels; ++c) {
    mean += (total(moments.sums, c) + pixels * origin_of(map, group.item, c)) / count;
  }
  double variance = 0;
  for (int64_t c = group.first; c < group.first + group.channels; ++c) {
    const double offset = origin_of(map, group.item, c) - mean;
    const double sum = total(moments.sums, c);
    variance += (total(moments.squares, c) + 2 * offset * sum + pixels * offset * offset) / count;
  }
  return {mean, variance};
}

}  // namespace

Buffer group_norm(const KernelTable& kernels, const Map& map, const GroupNormTask& norm) {
  const OperatorTimer timer(Operator::kNorm);
  const Moments moments = sum_pieces(kernels, map);
  const int64_t channels = map.channels();
  const int64_t each = channels / norm.groups;
  const Buffer result(2 * map.batch * channels);
  run_items(map.batch * norm.groups, [&](int64_t index, int64_t) {
    const Group group{index / norm.groups, index % norm.groups * each, each};
    const Spread spread = spread_of(map, moments, group);
    const double inverse = 1 / std::sqrt(spread.variance + norm.eps);
    float* const scale = result.data() + group.item * channels;
    float* const shift = scale + map.batch * channels;
    for (int64_t c = group.first; c < group.first + each; ++c) {
      const double factor = static_cast<double>(norm.weight[c]) * inverse;
      scale[c] = static_cast<float>(factor);
      shift[c] = static_cast<float>(static_cast<double>(norm.bias[c]) - spread.mean * factor);
    }
  });
  return result;
}

}  // namespace musicldm::kernels
