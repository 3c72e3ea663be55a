// Mel spectrograms: of everything that reads sound by filters on a mel scale.
#pragma once

#include "audio/settings.h"

namespace musicldm::audio {

// -> [mel_bins, fft_size / 2 + 1] f32
at::Tensor mel_filter_bank(const MelSettings& settings);

// Filters over magnitudes or powers, compressed as the settings say. Differentiable; without
// gradients, and on the CPU, in one pass that keeps no spectrum.
// wave [B, T] -> [B, frames, mel_bins]
at::Tensor mel_spectrogram(const at::Tensor& wave, const MelSettings& settings);

}  // namespace musicldm::audio
