#include "audio/filter_bank.h"

#include <ATen/Functions.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace musicldm::audio {
namespace {

constexpr double kHertzPerMel = 200.0 / 3;
constexpr double kBreakHertz = 1000;
constexpr double kBreakMel = kBreakHertz / kHertzPerMel;
const double kLogStep = std::log(6.4) / 27;

constexpr double kHtkMels = 2595;
constexpr double kHtkHertz = 700;

double to_mel(double hertz, MelScale scale) {
  if (scale == MelScale::kHtk) return kHtkMels * std::log10(1 + hertz / kHtkHertz);
  if (hertz < kBreakHertz) return hertz / kHertzPerMel;
  return kBreakMel + std::log(hertz / kBreakHertz) / kLogStep;
}

double to_hertz(double mel, MelScale scale) {
  if (scale == MelScale::kHtk) return kHtkHertz * (std::pow(10, mel / kHtkMels) - 1);
  if (mel < kBreakMel) return mel * kHertzPerMel;
  return kBreakHertz * std::exp((mel - kBreakMel) * kLogStep);
}

// Filter m spans corners m, m + 1 and m + 2.
struct Corners {
  std::vector<double> hertz;
  std::vector<double> slopes;  // in the unit in which slopes are straight
};

Corners make_corners(const MelSettings& s) {
  const double low = to_mel(s.min_hertz, s.scale);
  const double step = (to_mel(s.max_hertz, s.scale) - low) / static_cast<double>(s.mel_bins + 1);
  Corners corners;
  for (int64_t i = 0; i < s.mel_bins + 2; ++i) {
    const double mel = low + static_cast<double>(i) * step;
    const double hertz = to_hertz(mel, s.scale);
    corners.hertz.push_back(hertz);
    corners.slopes.push_back(s.slopes_in_mel ? mel : hertz);
  }
  return corners;
}

std::vector<double> bin_places(const MelSettings& s) {
  std::vector<double> places;
  const auto rate = static_cast<double>(s.sample_rate);
  for (int64_t bin = 0; bin < s.stft.bins(); ++bin) {
    const double hertz = static_cast<double>(bin) * rate / static_cast<double>(s.stft.fft_size);
    places.push_back(s.slopes_in_mel ? to_mel(hertz, s.scale) : hertz);
  }
  return places;
}

}  // namespace

at::Tensor make_filter_bank(const MelSettings& settings) {
  const Corners corners = make_corners(settings);
  const std::vector<double> places = bin_places(settings);
  const auto bins = static_cast<int64_t>(places.size());
  at::Tensor bank = at::empty({settings.mel_bins, bins}, at::kDouble);
  double* weight = bank.data_ptr<double>();
  for (int64_t m = 0; m < settings.mel_bins; ++m) {
    const double low = corners.slopes[m];
    const double peak = corners.slopes[m + 1];
    const double high = corners.slopes[m + 2];
    const double width = corners.hertz[m + 2] - corners.hertz[m];
    const double scale = settings.has_unit_area ? 2 / width : 1;
    for (const double place : places) {
      const double rise = (place - low) / (peak - low);
      const double fall = (high - place) / (high - peak);
      *weight++ = std::max(0.0, std::min(rise, fall)) * scale;
    }
  }
  return bank;
}

}  // namespace musicldm::audio
