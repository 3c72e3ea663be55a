#include "audio/settings.h"

#include <ATen/Functions.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <sstream>
#include <string>

#include "runtime/error.h"
#include "runtime/value.h"

namespace musicldm::audio {
namespace {

constexpr int64_t kMaxTransform = 1 << 20;
constexpr int64_t kMaxWeights = 1 << 28;  // of a filter bank
constexpr int64_t kMaxSamples = int64_t{1} << 40;
// The logarithm of a smaller one would not be exact in float32.
constexpr double kLeastLogarithmand = 1e-30;

void require(bool valid, const std::string& what, const char* name, double received) {
  if (valid) return;
  std::ostringstream text;
  text << received;
  throw runtime::expected("E_ARGUMENT", what, name, text.str());
}

void require_integer(int64_t value, const char* name, int64_t least, int64_t most) {
  require(value >= least && value <= most,
          "an integer in " + std::to_string(least) + ".." + std::to_string(most), name,
          static_cast<double>(value));
}

void require_amount(double value, const char* name) {
  require(value >= 0 && std::isfinite(value), "a number of at least 0", name, value);
}

// Weights of cos(2 pi k n / N) with alternating signs.
std::array<double, 3> cosines(Window window) {
  switch (window) {
    case Window::kHann:
      return {0.5, 0.5, 0};
    case Window::kHamming:
      return {0.54, 0.46, 0};
    case Window::kBlackman:
      return {0.42, 0.5, 0.08};
    default:
      return {1, 0, 0};
  }
}

}  // namespace

double MelSettings::log_factor() const {
  switch (compression) {
    case Compression::kLn:
      return 1;
    case Compression::kLog10:
      return 1 / std::numbers::ln10;
    case Compression::kDecibels:
      return 20 / (static_cast<double>(power) * std::numbers::ln10);
    default:
      return 0;
  }
}

void check_settings(const StftSettings& s) {
  require_integer(s.fft_size, "fftSize", 2, kMaxTransform);
  require_integer(s.hop_samples, "hopSamples", 1, kMaxSamples);
  require_integer(s.window_samples, "windowSamples", 1, s.fft_size);
  require_integer(s.padding, "padding", 0, kMaxSamples);
}

void check_settings(const MelSettings& s) {
  check_settings(s.stft);
  require_integer(s.sample_rate, "sampleRate", 1, kMaxSamples);
  require_integer(s.mel_bins, "melBins", 1, kMaxWeights / s.stft.bins());
  require_amount(s.min_hertz, "fMin");
  require(s.max_hertz > s.min_hertz && s.max_hertz <= static_cast<double>(s.sample_rate) / 2,
          "a number above fMin and up to half the sample rate", "fMax", s.max_hertz);
  require_integer(s.power, "power", 1, 2);
  require_amount(s.epsilon, "epsilon");
  require_amount(s.floor, "floor");
  require_amount(s.offset, "offset");
  require(s.compression == Compression::kNone || s.floor + s.offset >= kLeastLogarithmand,
          "at least 1e-30 under a logarithm", "floor + offset", s.floor + s.offset);
}

void check_wave(const at::Tensor& wave, const StftSettings& settings) {
  const int64_t reflected = settings.pad_mode == PadMode::kReflect ? settings.padding + 1 : 1;
  const int64_t shortest = std::max(reflected, settings.frame_samples() - 2 * settings.padding);
  if (wave.dim() != 2 || wave.size(0) < 1 || wave.size(1) < shortest) {
    throw runtime::expected("E_SHAPE",
                            "[batch, samples] of at least " + std::to_string(shortest) + " samples",
                            "wave", runtime::shape_text(wave.sizes()));
  }
  if (wave.scalar_type() != at::kFloat) {
    throw runtime::expected("E_DTYPE", "float32", "wave", runtime::dtype_name(wave.scalar_type()));
  }
}

at::Tensor make_window(const StftSettings& settings) {
  const auto [constant, once, twice] = cosines(settings.window);
  at::Tensor window = at::empty({settings.window_samples}, at::kDouble);
  double* value = window.data_ptr<double>();
  for (int64_t n = 0; n < settings.window_samples; ++n) {
    const double angle = 2 * std::numbers::pi * static_cast<double>(n) /
                         static_cast<double>(settings.window_samples);
    value[n] = constant - once * std::cos(angle) + twice * std::cos(2 * angle);
  }
  return window;
}

}  // namespace musicldm::audio
