#include "audio/resample.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <string>
#include <vector>

#include "runtime/cancel.h"
#include "runtime/error.h"
#include "runtime/value.h"

namespace musicldm::audio {
namespace {

constexpr double kZeroCrossings = 6;
constexpr double kRolloff = 0.99;
constexpr int64_t kMaxRate = 10'000'000;
constexpr int64_t kChunkElements = 1 << 22;

// The ratio of two rates in lowest terms, and the filter that belongs to it.
struct Ratio {
  int64_t from;
  int64_t to;
  double cutoff;  // in cycles per input sample, doubled: 1 is the input's Nyquist frequency
  int64_t reach;  // input samples on each side that a tap can touch
};

Ratio make_ratio(int64_t from_rate, int64_t to_rate) {
  const int64_t divisor = std::gcd(from_rate, to_rate);
  const int64_t from = from_rate / divisor;
  const int64_t to = to_rate / divisor;
  const double cutoff = static_cast<double>(std::min(from, to)) * kRolloff / from;
  return {from, to, cutoff, static_cast<int64_t>(std::ceil(kZeroCrossings / cutoff))};
}

double tap_weight(double distance, double cutoff) {
  const double t = distance * cutoff;
  if (std::abs(t) >= kZeroCrossings) return 0;
  const double window = std::cos(t * std::numbers::pi / kZeroCrossings / 2);
  const double angle = t * std::numbers::pi;
  const double sinc = angle == 0 ? 1 : std::sin(angle) / angle;
  return sinc * window * window * cutoff;
}

// Taps of the first `rows` outputs; they repeat every `ratio.to` outputs. [rows, taps] f64
at::Tensor make_taps(const Ratio& ratio, int64_t rows) {
  const int64_t taps = 2 * ratio.reach + 2;
  at::Tensor table = at::empty({rows, taps}, at::kDouble);
  double* row = table.data_ptr<double>();
  for (int64_t n = 0; n < rows; ++n, row += taps) {
    const double fraction = static_cast<double>(n * ratio.from % ratio.to) / ratio.to;
    for (int64_t k = 0; k < taps; ++k) {
      row[k] = tap_weight(static_cast<double>(k - ratio.reach) - fraction, ratio.cutoff);
    }
  }
  return table;
}

void check(const at::Tensor& wave, int64_t from_rate, int64_t to_rate) {
  if (wave.dim() < 1 || wave.numel() == 0 || !wave.is_floating_point()) {
    throw runtime::expected("E_SHAPE", "a float tensor [..., samples] that is not empty", "wave",
                            runtime::Value(wave).describe());
  }
  for (const int64_t rate : {from_rate, to_rate}) {
    if (rate >= 1 && rate <= kMaxRate) continue;
    throw runtime::expected("E_ARGUMENT", "an integer in 1..10000000", "sample rate",
                            std::to_string(rate));
  }
}

}  // namespace

at::Tensor resample(const at::Tensor& wave, int64_t from_rate, int64_t to_rate) {
  check(wave, from_rate, to_rate);
  if (from_rate == to_rate) return wave;
  const Ratio ratio = make_ratio(from_rate, to_rate);
  const int64_t taps = 2 * ratio.reach + 2;
  const int64_t length = (wave.size(-1) * ratio.to + ratio.from - 1) / ratio.from;
  const auto indices = wave.options().dtype(at::kLong).requires_grad(false);

  const at::Tensor table = make_taps(ratio, std::min(ratio.to, length)).to(wave.options());
  const at::Tensor flat = wave.reshape({-1, wave.size(-1)});  // [B, T]
  const at::Tensor padded = at::constant_pad_nd(flat, {ratio.reach, ratio.reach + 2});
  const at::Tensor offsets = at::arange(taps, indices);
  const int64_t chunk = std::max<int64_t>(1, kChunkElements / (taps * flat.size(0)));

  std::vector<at::Tensor> parts;
  for (int64_t start = 0; start < length; start += chunk) {
    runtime::throw_if_cancelled();
    const int64_t count = std::min(chunk, length - start);
    const at::Tensor n = at::arange(start, start + count, indices);
    const at::Tensor first = at::div(n * ratio.from, ratio.to, "floor");
    const at::Tensor reads = (first.unsqueeze(1) + offsets).flatten();  // [count * taps]
    const at::Tensor inputs = padded.index_select(1, reads).view({-1, count, taps});
    parts.push_back((inputs * table.index_select(0, n.remainder(ratio.to))).sum(-1));
  }
  auto shape = wave.sizes().vec();
  shape.back() = length;
  return at::cat(parts, 1).reshape(shape);
}

}  // namespace musicldm::audio
