// Triangular filters on a mel scale.
#pragma once

#include "audio/settings.h"

namespace musicldm::audio {

// -> [mel_bins, fft_size / 2 + 1] f64
at::Tensor make_filter_bank(const MelSettings& settings);

}  // namespace musicldm::audio
