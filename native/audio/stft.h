// The short-time Fourier transform and its inverse, by libtorch's operators: differentiable, on any
// device, of any size.
#pragma once

#include <optional>

#include "audio/settings.h"

namespace musicldm::audio {

// Spectrum of every frame. wave [B, T] -> complex [B, bins, frames]
at::Tensor spectra(const at::Tensor& wave, const StftSettings& settings);

// The same as pairs of real and imaginary parts. wave [B, T] -> [B, bins, frames, 2]
at::Tensor stft(const at::Tensor& wave, const StftSettings& settings);

// The wave whose spectra are nearest in the mean square (Griffin and Lim, 1984). Without `length`
// what lies between the paddings. [B, bins, frames, 2] -> [B, length]
at::Tensor istft(const at::Tensor& parts, const StftSettings& settings,
                 std::optional<int64_t> length);

}  // namespace musicldm::audio
