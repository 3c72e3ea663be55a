// The log-mel front ends of MusicLDM and its vocoder.
#pragma once

#include <ATen/core/Tensor.h>

namespace musicldm::audio {

struct MelSettings {
  int64_t sample_rate;
  int64_t fft_size;  // also the length of the window
  int64_t hop_samples;
  int64_t mel_bins;
  double min_hertz;
  double max_hertz;
  int64_t padding;  // reflected samples on each side
  double epsilon;   // added to the power before its square root
};

// Triangular filters on the Slaney mel scale, each of unit area (librosa's defaults).
// -> [mel_bins, fft_size / 2 + 1] f32
at::Tensor mel_filter_bank(const MelSettings& settings);

// Natural log of mel magnitudes, floor 1e-5.
// wave [B, T] -> [B, 1 + (T + 2 * padding - fft_size) / hop_samples, mel_bins]
at::Tensor log_mel(const at::Tensor& wave, const MelSettings& settings);

}  // namespace musicldm::audio
