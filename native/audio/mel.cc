#include "audio/mel.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "runtime/error.h"
#include "runtime/value.h"

namespace musicldm::audio {
namespace {

constexpr double kFloor = 1e-5;

// Slaney's scale (Auditory Toolbox, 1998): linear below 1 kHz, logarithmic above.
constexpr double kHertzPerMel = 200.0 / 3;
constexpr double kBreakHertz = 1000;
constexpr double kBreakMel = kBreakHertz / kHertzPerMel;
const double kLogStep = std::log(6.4) / 27;

double hertz_to_mel(double hertz) {
  if (hertz < kBreakHertz) return hertz / kHertzPerMel;
  return kBreakMel + std::log(hertz / kBreakHertz) / kLogStep;
}

double mel_to_hertz(double mel) {
  if (mel < kBreakMel) return mel * kHertzPerMel;
  return kBreakHertz * std::exp((mel - kBreakMel) * kLogStep);
}

// Corners of the triangles: filter m spans corners m, m + 1 and m + 2.
std::vector<double> mel_corners(const MelSettings& settings) {
  const double low = hertz_to_mel(settings.min_hertz);
  const double step = (hertz_to_mel(settings.max_hertz) - low) / (settings.mel_bins + 1);
  std::vector<double> corners;
  for (int64_t i = 0; i < settings.mel_bins + 2; ++i) {
    corners.push_back(mel_to_hertz(low + i * step));
  }
  return corners;
}

void check_settings(const MelSettings& s) {
  const auto require = [](bool valid, const char* what, const char* name, double received) {
    if (!valid) throw runtime::expected("E_ARGUMENT", what, name, std::to_string(received));
  };
  require(s.sample_rate > 0, "an integer above 0", "sampleRate", s.sample_rate);
  require(s.fft_size > 1, "an integer above 1", "fftSize", s.fft_size);
  require(s.hop_samples > 0, "an integer above 0", "hopSamples", s.hop_samples);
  require(s.mel_bins > 0, "an integer above 0", "melBins", s.mel_bins);
  require(s.min_hertz >= 0, "a number of at least 0", "fMin", s.min_hertz);
  require(s.max_hertz > s.min_hertz && s.max_hertz <= s.sample_rate / 2.0,
          "a number above fMin and up to half the sample rate", "fMax", s.max_hertz);
  require(s.padding >= 0, "an integer of at least 0", "padding", s.padding);
}

void check_wave(const at::Tensor& wave, const MelSettings& settings) {
  const int64_t shortest = std::max(settings.padding + 1, settings.fft_size - 2 * settings.padding);
  if (wave.dim() == 2 && wave.size(0) > 0 && wave.size(1) >= shortest) return;
  throw runtime::expected("E_SHAPE", "[batch, samples] of at least " + std::to_string(shortest),
                          "wave", runtime::shape_text(wave.sizes()));
}

// wave [B, T] -> magnitudes [B, bins, frames]
at::Tensor magnitudes(const at::Tensor& wave, const MelSettings& settings) {
  const int64_t size = settings.fft_size;
  const at::Tensor window = at::hann_window(size, /*periodic=*/true, wave.options());
  at::Tensor padded = wave;
  if (settings.padding > 0) {
    padded = at::reflection_pad1d(wave, {settings.padding, settings.padding});
  }
  const at::Tensor spectrum =
      at::stft(padded, size, settings.hop_samples, size, window, /*center=*/false, "constant",
               /*normalized=*/false, /*onesided=*/true, /*return_complex=*/true);
  if (settings.epsilon == 0) return spectrum.abs();
  return (at::real(spectrum).square() + at::imag(spectrum).square() + settings.epsilon).sqrt();
}

}  // namespace

at::Tensor mel_filter_bank(const MelSettings& settings) {
  check_settings(settings);
  const int64_t bins = settings.fft_size / 2 + 1;
  const std::vector<double> corners = mel_corners(settings);
  at::Tensor bank = at::empty({settings.mel_bins, bins}, at::kDouble);
  double* weight = bank.data_ptr<double>();
  for (int64_t m = 0; m < settings.mel_bins; ++m) {
    const double low = corners[m];
    const double peak = corners[m + 1];
    const double high = corners[m + 2];
    for (int64_t bin = 0; bin < bins; ++bin) {
      const double hertz = static_cast<double>(bin) * settings.sample_rate / settings.fft_size;
      const double rise = (hertz - low) / (peak - low);
      const double fall = (high - hertz) / (high - peak);
      *weight++ = std::max(0.0, std::min(rise, fall)) * 2 / (high - low);
    }
  }
  return bank.to(at::kFloat);
}

at::Tensor log_mel(const at::Tensor& wave, const MelSettings& settings) {
  const at::Tensor bank = mel_filter_bank(settings).to(wave.options().requires_grad(false));
  check_wave(wave, settings);
  const at::Tensor mel = at::matmul(bank, magnitudes(wave, settings));  // [B, mels, frames]
  return mel.clamp_min(kFloor).log().transpose(1, 2).contiguous();      // [B, frames, mels]
}

}  // namespace musicldm::audio
