// Convolution along time by real Fourier transforms of short tiles, over vectors of channels. All
// loops over a tile have constant bounds and are unrolled into straight code.
#pragma once

#include "kernels/cpu/fourier.h"
#include "kernels/cpu/simd.h"
#include "kernels/cpu/tasks.h"

namespace musicldm::kernels::MUSICLDM_ISA {

// An index that is known at compile time.
template <int K>
struct Index {
  static constexpr int value = K;
};

// Calls body(Index<k>) for k from First to Last - 1, as straight code.
template <int First, int Last, class Body>
[[gnu::always_inline]] inline void each(const Body& body) {
  if constexpr (First < Last) {
    body(Index<First>{});
    each<First + 1, Last>(body);
  }
}

// Half of the spectrum of N real samples; imaginary[0] and imaginary[N / 2] are zero and unused.
template <int N>
struct Spectrum {
  Vec real[N / 2 + 1];
  Vec imaginary[N / 2 + 1];
};

// exp(-2 pi i k / N) = scale * (1 - i ratio), or scale * (ratio - i) in the steeper half of the
// quarter, so that a rotation costs four multiply-adds and its ratio never exceeds 1.
template <int N, int K>
struct Rotation {
  static constexpr double kCosine = kQuarterCosine[K * kLargestTransform / N];
  static constexpr double kSine = kQuarterCosine[(N / 4 - K) * kLargestTransform / N];
  static constexpr bool kSteep = 8 * K > N;
  static constexpr float kScale = static_cast<float>(kSteep ? kSine : kCosine);
  static constexpr float kRatio = static_cast<float>(kSteep ? kCosine / kSine : kSine / kCosine);
};

// Decimation in time; sample i is load(i).
template <int N, class Load>
[[gnu::always_inline]] inline void forward(const Load& load, Spectrum<N>& out) {
  if constexpr (N == 2) {
    const Vec first = load(0), second = load(1);
    out.real[0] = first + second;
    out.real[1] = first - second;
  } else {
    constexpr int kHalf = N / 2, kQuarter = N / 4;
    Spectrum<kHalf> even, odd;
    forward<kHalf>(
        [&](int i) __attribute__((always_inline)) { return load(2 * i); }, even);
    forward<kHalf>(
        [&](int i) __attribute__((always_inline)) { return load(2 * i + 1); }, odd);
    out.real[0] = even.real[0] + odd.real[0];
    out.real[kHalf] = even.real[0] - odd.real[0];
    out.real[kQuarter] = even.real[kQuarter];
    out.imaginary[kQuarter] = -odd.real[kQuarter];
    each<1, kQuarter>([&](auto index) __attribute__((always_inline)) {
      constexpr int k = decltype(index)::value;
      using Turn = Rotation<N, k>;
      const Vec a = odd.real[k], b = odd.imaginary[k];
      const Vec real = Turn::kSteep ? a * Turn::kRatio + b : a + b * Turn::kRatio;
      const Vec imaginary = Turn::kSteep ? b * Turn::kRatio - a : b - a * Turn::kRatio;
      out.real[k] = even.real[k] + Turn::kScale * real;
      out.imaginary[k] = even.imaginary[k] + Turn::kScale * imaginary;
      out.real[kHalf - k] = even.real[k] - Turn::kScale * real;
      out.imaginary[kHalf - k] = Turn::kScale * imaginary - even.imaginary[k];
    });
  }
}

// The inverse, N times as large; sample i goes to save(i, value).
template <int N, class Save>
[[gnu::always_inline]] inline void backward(const Spectrum<N>& in, const Save& save) {
  if constexpr (N == 2) {
    save(0, in.real[0] + in.real[1]);
    save(1, in.real[0] - in.real[1]);
  } else {
    constexpr int kHalf = N / 2, kQuarter = N / 4;
    Spectrum<kHalf> even, odd;
    even.real[0] = in.real[0] + in.real[kHalf];
    odd.real[0] = in.real[0] - in.real[kHalf];
    even.real[kQuarter] = in.real[kQuarter] + in.real[kQuarter];
    odd.real[kQuarter] = -(in.imaginary[kQuarter] + in.imaginary[kQuarter]);
    each<1, kQuarter>([&](auto index) __attribute__((always_inline)) {
      constexpr int k = decltype(index)::value;
      using Turn = Rotation<N, k>;
      even.real[k] = in.real[k] + in.real[kHalf - k];
      even.imaginary[k] = in.imaginary[k] - in.imaginary[kHalf - k];
      const Vec a = Turn::kScale * (in.real[k] - in.real[kHalf - k]);
      const Vec b = Turn::kScale * (in.imaginary[k] + in.imaginary[kHalf - k]);
      odd.real[k] = Turn::kSteep ? a * Turn::kRatio - b : a - b * Turn::kRatio;
      odd.imaginary[k] = Turn::kSteep ? b * Turn::kRatio + a : b + a * Turn::kRatio;
    });
    backward<kHalf>(
        even, [&](int i, Vec value) __attribute__((always_inline)) { save(2 * i, value); });
    backward<kHalf>(
        odd, [&](int i, Vec value) __attribute__((always_inline)) { save(2 * i + 1, value); });
  }
}

template <int N>
void transform_samples(const FourierInputTask& task) {
  for (int64_t c = 0; c < task.channels; c += kLanes) {
    const float* from = task.from + c;
    const int64_t left = task.channels - c;
    Spectrum<N> bins;
    if (left >= kLanes) {
      forward<N>(
          [&](int i) __attribute__((always_inline)) {
            return leaky(load(from + i * task.sample_stride), task.slope);
          },
          bins);
    } else {
      forward<N>(
          [&](int i) __attribute__((always_inline)) {
            return leaky(load_part(from + i * task.sample_stride, left), task.slope);
          },
          bins);
    }
    float* to = task.to + c;
    store(to, bins.real[0]);
    store(to + task.plane_stride, bins.real[N / 2]);
    each<1, N / 2>([&](auto index) __attribute__((always_inline)) {
      constexpr int k = decltype(index)::value;
      float* plane = to + (3 * k - 1) * task.plane_stride;
      store(plane, bins.real[k] + bins.imaginary[k]);
      store(plane + task.plane_stride, bins.real[k]);
      store(plane + 2 * task.plane_stride, bins.imaginary[k]);
    });
  }
}

template <int N>
void transform_products(const FourierOutputTask& task) {
  for (int64_t c = 0; c < task.columns; c += kLanes) {
    const float* from = task.from + c;
    Spectrum<N> bins;
    bins.real[0] = load(from);
    bins.real[N / 2] = load(from + task.plane_stride);
    each<1, N / 2>([&](auto index) __attribute__((always_inline)) {
      constexpr int k = decltype(index)::value;
      const float* plane = from + (3 * k - 1) * task.plane_stride;
      const Vec shared = load(plane);
      bins.real[k] = shared - load(plane + 2 * task.plane_stride);
      bins.imaginary[k] = shared + load(plane + task.plane_stride);
    });
    Vec samples[N];
    backward<N>(
        bins, [&](int i, Vec value) __attribute__((always_inline)) { samples[i] = value; });
    const int64_t left = task.columns - c;
    const Vec bias = task.bias ? load_part(task.bias + c, left) : Vec{};
    for (int64_t i = 0; i < task.count; ++i) {
      const int64_t at = i * task.sample_stride + c;
      Vec value = samples[i] + bias;
      if (task.residual) value += load_part(task.residual + at, left);
      if (task.accumulate) value += load_part(task.to + at, left);
      store_part(task.to + at, value, left);
    }
  }
}

template <int N>
void transform_taps(const FourierWeightsTask& task) {
  for (int64_t c = 0; c < 2 * kLanes; c += kLanes) {
    Vec taps[N] = {};
    for (int64_t j = 0; j < kLanes && c + j < task.columns; ++j) {
      const float* from = task.from + (c + j) * task.column_stride;
      for (int64_t tap = 0; tap < task.taps; ++tap) taps[tap][j] = from[tap];
    }
    Spectrum<N> bins;
    forward<N>(
        [&](int i) __attribute__((always_inline)) { return taps[i]; }, bins);
    // The conjugate, because layers correlate, and the scale of the inverse.
    constexpr float kScale = 1.0F / N;
    float* to = task.to + c;
    store(to, kScale * bins.real[0]);
    store(to + task.plane_stride, kScale * bins.real[N / 2]);
    each<1, N / 2>([&](auto index) __attribute__((always_inline)) {
      constexpr int k = decltype(index)::value;
      float* plane = to + (3 * k - 1) * task.plane_stride;
      const Vec real = kScale * bins.real[k], imaginary = -kScale * bins.imaginary[k];
      store(plane, real);
      store(plane + task.plane_stride, imaginary - real);
      store(plane + 2 * task.plane_stride, real + imaginary);
    });
  }
}

inline void fourier_input(const FourierInputTask& task) {
  if (task.size == 64) return transform_samples<64>(task);
  return task.size == 32 ? transform_samples<32>(task) : transform_samples<16>(task);
}

inline void fourier_output(const FourierOutputTask& task) {
  if (task.size == 64) return transform_products<64>(task);
  return task.size == 32 ? transform_products<32>(task) : transform_products<16>(task);
}

inline void fourier_weights(const FourierWeightsTask& task) {
  if (task.size == 64) return transform_taps<64>(task);
  return task.size == 32 ? transform_taps<32>(task) : transform_taps<16>(task);
}

}  // namespace musicldm::kernels::MUSICLDM_ISA
