// What the mel kernels are asked to do: plain data, as in tasks.h. `Real`, float or double, is what
// transforms and filters compute in.
#pragma once

#include <cstdint>

namespace musicldm::kernels {

// Joins `radix` transforms of `length` complex numbers each into one.
template <class Real>
struct FourierPass {
  int64_t radix = 0;  // 2, 3, 4 or 5
  int64_t length = 0;
  const Real* twiddles = nullptr;  // [length][radix - 1][2]: cosine and sine of the angle back
};

// What all frames of a mel spectrogram share.
template <class Real>
struct MelPlan {
  int64_t fft_size = 0;          // even
  int64_t span = 0;              // samples of a frame; zeros follow up to fft_size
  const Real* window = nullptr;  // [span], halved

  // Transform of half as many complex numbers as there are samples: even ones are real parts, odd
  // ones imaginary. `places` says where number n goes before the passes.
  const int32_t* places = nullptr;
  const FourierPass<Real>* passes = nullptr;
  int64_t pass_count = 0;
  const Real* turns = nullptr;  // [fft_size / 4 + 1][2], cosine and sine of 2 pi k / fft_size

  bool is_magnitude = false;  // and not power
  Real epsilon = 0;           // added to the power

  // Filter m is a run of weights: `counts[m]` bins from `starts[m]` on.
  int64_t mel_bins = 0;
  const int32_t* starts = nullptr;
  const int32_t* counts = nullptr;
  const Real* weights = nullptr;  // run after run

  // log_factor * ln(max(value, floor) + offset); without logarithm when the factor is 0.
  float floor = 0;
  float offset = 0;
  float log_factor = 0;
  float floor_result = 0;  // of values up to the floor
};

// Numbers that a task works in; a vector has `lanes` of them.
constexpr int64_t mel_work(int64_t fft_size, int64_t lanes) {
  return (3 * (fft_size / 2) + 1) * lanes;
}

// As many frames as a vector has lanes, or fewer.
template <class Real>
struct MelTask {
  const MelPlan<Real>* plan = nullptr;
  const float* from = nullptr;  // the first frame
  int64_t hop = 0;
  int64_t frames = 0;
  Real* work = nullptr;  // mel_work numbers
  float* to = nullptr;   // [frames][mel_bins]
};

}  // namespace musicldm::kernels
