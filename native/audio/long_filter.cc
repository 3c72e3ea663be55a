#include "audio/long_filter.h"

#include <ATen/Functions.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <complex>
#include <numbers>
#include <numeric>
#include <string>
#include <vector>

#include "runtime/cancel.h"
#include "runtime/error.h"
#include "runtime/value.h"

namespace musicldm::audio {
namespace {

// J. F. Kaiser, "Nonrecursive digital filter design using the I0-sinh window function", 1974:
// attenuation A and transition width d (radians per sample) need beta = 0.1102 (A - 8.7) and
// (A - 7.95) / (2.285 d) taps. Here A = 125 dB and d = 0.05 pi at the lower rate.
constexpr double kBeta = 0.1102 * (125 - 8.7);
constexpr double kHalfWidth = 164;  // in samples of the lower rate
constexpr double kCutoff = 0.975;   // of the lower Nyquist frequency: the middle of the transition
constexpr int64_t kMaxRate = 10'000'000;
constexpr int64_t kWindowSteps = 1 << 14;
constexpr int64_t kMaxRepeat = 1024;  // outputs after which a table of taps repeats
constexpr int64_t kMinRows = 128;
constexpr int64_t kChunkElements = 1 << 22;

double bessel_i0(double x) {
  double term = 1;
  double sum = 1;
  for (int k = 1; term > 1e-17 * sum; ++k) {
    term *= (x / 2 / k) * (x / 2 / k);
    sum += term;
  }
  return sum;
}

// The window at distance i / kWindowSteps of its half width; linear in between leaves 3e-8.
const std::vector<double>& window_table() {
  static const std::vector<double> table = [] {
    std::vector<double> values(kWindowSteps + 2, 0.0);
    for (int64_t i = 0; i <= kWindowSteps; ++i) {
      const double t = static_cast<double>(i) / kWindowSteps;
      values[i] = bessel_i0(kBeta * std::sqrt(1 - t * t)) / bessel_i0(kBeta);
    }
    return values;
  }();
  return table;
}

// wave [B, T] from `start` on, which may be negative, with silence around it. -> [B, length]
at::Tensor cut(const at::Tensor& wave, int64_t start, int64_t length) {
  const int64_t end = std::clamp<int64_t>(start + length, 0, wave.size(1));
  const int64_t begin = std::clamp<int64_t>(start, 0, end);
  const at::Tensor part = wave.narrow(1, begin, end - begin);
  const int64_t before = std::clamp<int64_t>(begin - start, 0, length);
  return at::constant_pad_nd(part, {before, length - before - (end - begin)});
}

}  // namespace

LongFilter::LongFilter(int64_t from_rate, int64_t to_rate) {
  for (const int64_t rate : {from_rate, to_rate}) {
    if (rate >= 1 && rate <= kMaxRate) continue;
    throw runtime::expected("E_ARGUMENT", "an integer in 1..10000000", "sample rate",
                            std::to_string(rate));
  }
  const int64_t divisor = std::gcd(from_rate, to_rate);
  from_ = from_rate / divisor;
  to_ = to_rate / divisor;
  const double narrowing = std::max(1.0, static_cast<double>(from_) / static_cast<double>(to_));
  cutoff_ = kCutoff / narrowing;
  half_width_ = kHalfWidth * narrowing;
  reach_ = static_cast<int64_t>(std::ceil(half_width_)) + 1;
}

int64_t LongFilter::output_length(int64_t samples) const {
  return (samples * to_ + from_ - 1) / from_;
}

// taps[k] weighs input k - reach for an output at `fraction`. [2 * reach + 2]
void LongFilter::fill_taps(double fraction, float* taps) const {
  const std::vector<double>& window = window_table();
  const int64_t count = 2 * reach_ + 2;
  const double step = std::numbers::pi * cutoff_;
  const double first = -static_cast<double>(reach_) - fraction;
  std::complex<double> turn = std::polar(1.0, step * first);
  const std::complex<double> advance = std::polar(1.0, step);
  for (int64_t k = 0; k < count; ++k, turn *= advance) {
    const double x = first + static_cast<double>(k);
    const double place = std::min(std::abs(x) / half_width_, 1.0) * kWindowSteps;
    const auto below = static_cast<int64_t>(place);
    const double slope = window[below + 1] - window[below];
    const double weight = window[below] + slope * (place - static_cast<double>(below));
    const double angle = step * x;
    const double sinc = std::abs(angle) < 1e-6 ? 1 : turn.imag() / angle;
    const bool outside = std::abs(x) >= half_width_;
    taps[k] = outside ? 0.0F : static_cast<float>(cutoff_ * sinc * weight);
  }
}

at::Tensor LongFilter::apply(const at::Tensor& wave, int64_t first_input, int64_t first_output,
                             int64_t count) const {
  const int64_t position = first_output * from_;
  const int64_t start = position / to_ - reach_ - first_input;
  const int64_t phase = position % to_;
  if (count == 0) return at::zeros({wave.size(0), 0}, wave.options());
  return to_ <= kMaxRepeat ? repeating(wave, start, phase, count)
                           : single(wave, start, phase, count);
}

// The taps of `rows` outputs as one matrix, which serves every block of as many outputs.
at::Tensor LongFilter::repeating(const at::Tensor& wave, int64_t start, int64_t phase,
                                 int64_t count) const {
  const int64_t taps = 2 * reach_ + 2;
  const int64_t rows = to_ * ((kMinRows + to_ - 1) / to_);
  const int64_t shift = rows / to_ * from_;
  const int64_t width = (phase + (rows - 1) * from_) / to_ + taps;
  at::Tensor matrix = at::zeros({rows, width}, at::kFloat);
  float* row = matrix.data_ptr<float>();
  for (int64_t j = 0; j < rows; ++j, row += width) {
    const int64_t place = phase + j * from_;
    const double fraction = static_cast<double>(place % to_) / static_cast<double>(to_);
    fill_taps(fraction, row + place / to_);
  }
  const at::Tensor weights = matrix.to(wave.options()).t();  // [width, rows]
  const int64_t blocks = (count + rows - 1) / rows;
  const int64_t chunk = std::max<int64_t>(1, kChunkElements / (width * wave.size(0)));
  std::vector<at::Tensor> parts;
  for (int64_t block = 0; block < blocks; block += chunk) {
    runtime::throw_if_cancelled();
    const int64_t some = std::min(chunk, blocks - block);
    const at::Tensor inputs = cut(wave, start + block * shift, (some - 1) * shift + width);
    const at::Tensor frames = inputs.unfold(1, width, shift);  // [B, some, width]
    parts.push_back(at::matmul(frames, weights).flatten(1));   // [B, some * rows]
  }
  return at::cat(parts, 1).narrow(1, 0, count).contiguous();
}

// Taps of their own for every output, for ratios that repeat too late.
at::Tensor LongFilter::single(const at::Tensor& wave, int64_t start, int64_t phase,
                              int64_t count) const {
  const int64_t taps = 2 * reach_ + 2;
  const int64_t chunk = std::max<int64_t>(1, kChunkElements / (taps * wave.size(0)));
  std::vector<at::Tensor> parts;
  for (int64_t n = 0; n < count; n += chunk) {
    runtime::throw_if_cancelled();
    const int64_t some = std::min(chunk, count - n);
    at::Tensor table = at::empty({some, taps}, at::kFloat);
    at::Tensor reads = at::empty({some}, at::kLong);
    const int64_t base = (phase + n * from_) / to_;
    for (int64_t j = 0; j < some; ++j) {
      const int64_t place = phase + (n + j) * from_;
      reads.data_ptr<int64_t>()[j] = place / to_ - base;
      const double fraction = static_cast<double>(place % to_) / static_cast<double>(to_);
      fill_taps(fraction, table.data_ptr<float>() + j * taps);
    }
    const int64_t length = reads.data_ptr<int64_t>()[some - 1] + taps;
    const at::Tensor frames = cut(wave, start + base, length).unfold(1, taps, 1);
    const at::Tensor inputs = frames.index_select(1, reads.to(wave.device()));  // [B, some, taps]
    parts.push_back((inputs * table.to(wave.options())).sum(-1));
  }
  return at::cat(parts, 1);
}

at::Tensor resample_long(const at::Tensor& wave, int64_t from_rate, int64_t to_rate) {
  const LongFilter filter(from_rate, to_rate);
  if (wave.dim() < 1 || wave.numel() == 0 || !wave.is_floating_point()) {
    throw runtime::expected("E_SHAPE", "a float tensor [..., samples] that is not empty", "wave",
                            runtime::Value(wave).describe());
  }
  if (from_rate == to_rate) return wave;
  const at::Tensor flat = wave.reshape({-1, wave.size(-1)});
  auto shape = wave.sizes().vec();
  shape.back() = filter.output_length(wave.size(-1));
  return filter.apply(flat, 0, 0, shape.back()).reshape(shape);
}

}  // namespace musicldm::audio
