// Band-limited conversion between sample rates.
#pragma once

#include <ATen/core/Tensor.h>

namespace musicldm::audio {

// Resamples [..., T] from one integer rate to another by windowed-sinc interpolation (Hann window,
// 6 zero crossings, cut-off at 0.99 of the lower Nyquist frequency; silence outside the clip).
// [..., T] -> [..., ceil(T * to_rate / from_rate)]
at::Tensor resample(const at::Tensor& wave, int64_t from_rate, int64_t to_rate);

}  // namespace musicldm::audio
