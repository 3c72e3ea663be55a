// Mel spectra of frames, one frame in each lane of a vector: nothing but the reading of samples and
// the writing of results moves numbers between lanes, and a spectrum never leaves the cache.
#pragma once

#include "kernels/cpu/mel_task.h"
#include "kernels/cpu/simd.h"

namespace musicldm::kernels::MUSICLDM_ISA {

struct Complex {
  Vec re, im;
};

inline Complex load_complex(const float* from) { return {load(from), load(from + kLanes)}; }

inline void store_complex(float* to, Complex value) {
  store(to, value.re);
  store(to + kLanes, value.im);
}

inline Complex operator+(Complex a, Complex b) { return {a.re + b.re, a.im + b.im}; }
inline Complex operator-(Complex a, Complex b) { return {a.re - b.re, a.im - b.im}; }
inline Complex operator*(Complex a, float b) { return {a.re * b, a.im * b}; }
inline Complex times_minus_i(Complex a) { return {a.im, -a.re}; }

// Times exp(-i angle), of which cosine and sine are given.
inline Complex turn(Complex a, float cosine, float sine) {
  return {a.re * cosine + a.im * sine, a.im * cosine - a.re * sine};
}

// Discrete Fourier transforms of 2, 3, 4 and 5 numbers.
[[gnu::always_inline]] inline void transform_few(Complex (&x)[2]) {
  const Complex a = x[0], b = x[1];
  x[0] = a + b;
  x[1] = a - b;
}

[[gnu::always_inline]] inline void transform_few(Complex (&x)[3]) {
  constexpr float kSine = 0.86602540378443864676F;
  const Complex sum = x[1] + x[2];
  const Complex middle = x[0] - sum * 0.5F;
  const Complex side = times_minus_i((x[1] - x[2]) * kSine);
  x[0] = x[0] + sum;
  x[1] = middle + side;
  x[2] = middle - side;
}

[[gnu::always_inline]] inline void transform_few(Complex (&x)[4]) {
  const Complex a = x[0] + x[2], b = x[0] - x[2];
  const Complex c = x[1] + x[3], d = times_minus_i(x[1] - x[3]);
  x[0] = a + c;
  x[1] = b + d;
  x[2] = a - c;
  x[3] = b - d;
}

[[gnu::always_inline]] inline void transform_few(Complex (&x)[5]) {
  constexpr float kCosine1 = 0.30901699437494742410F, kCosine2 = -0.80901699437494742410F;
  constexpr float kSine1 = 0.95105651629515357212F, kSine2 = 0.58778525229247312917F;
  const Complex near = x[1] + x[4], far = x[2] + x[3];
  const Complex near_gap = x[1] - x[4], far_gap = x[2] - x[3];
  const Complex middle1 = x[0] + near * kCosine1 + far * kCosine2;
  const Complex middle2 = x[0] + near * kCosine2 + far * kCosine1;
  const Complex side1 = times_minus_i(near_gap * kSine1 + far_gap * kSine2);
  const Complex side2 = times_minus_i(near_gap * kSine2 - far_gap * kSine1);
  x[0] = x[0] + near + far;
  x[1] = middle1 + side1;
  x[2] = middle2 + side2;
  x[3] = middle2 - side2;
  x[4] = middle1 - side1;
}

template <int R, bool turned>
void join(const FourierPass& pass, float* work) {
  const int64_t stride = pass.length * 2 * kLanes;
  const float* twiddles = pass.twiddles;
  for (int64_t j = 0; j < pass.length; ++j, work += 2 * kLanes, twiddles += 2 * (R - 1)) {
    Complex x[R];
#pragma GCC unroll 5
    for (int q = 0; q < R; ++q) {
      x[q] = load_complex(work + q * stride);
      if (turned && q > 0) x[q] = turn(x[q], twiddles[2 * q - 2], twiddles[2 * q - 1]);
    }
    transform_few(x);
#pragma GCC unroll 5
    for (int q = 0; q < R; ++q) store_complex(work + q * stride, x[q]);
  }
}

template <int R>
void join_any(const FourierPass& pass, float* work) {
  (pass.length == 1 ? join<R, false> : join<R, true>)(pass, work);
}

// In place, decimating in time; part after part, so that the smaller ones stay in the first cache.
inline void transform_frames(const FourierPass* passes, int64_t count, float* work) {
  const FourierPass& last = passes[count - 1];
  for (int64_t q = 0; count > 1 && q < last.radix; ++q) {
    transform_frames(passes, count - 1, work + q * last.length * 2 * kLanes);
  }
  if (last.radix == 4) return join_any<4>(last, work);
  if (last.radix == 2) return join_any<2>(last, work);
  return last.radix == 3 ? join_any<3>(last, work) : join_any<5>(last, work);
}

template <int... I>
struct Lanes {};
template <int N, int... I>
struct CountLanes : CountLanes<N - 1, N - 1, I...> {};
template <int... I>
struct CountLanes<0, I...> {
  using type = Lanes<I...>;
};

// Lanes First, First + 1, ... of both vectors by turns.
template <int First, int... I>
[[gnu::always_inline]] inline Vec interleave(Vec a, Vec b, Lanes<I...>) {
  return __builtin_shufflevector(a, b, (First + I / 2 + I % 2 * static_cast<int>(kLanes))...);
}

// Exchanges rows and lanes.
[[gnu::always_inline]] inline void transpose(Vec (&rows)[kLanes]) {
  using All = CountLanes<kLanes>::type;
  constexpr int kHalf = kLanes / 2;
#pragma GCC unroll 4
  for (int step = 1; step < kLanes; step *= 2) {
    Vec mixed[kLanes];
#pragma GCC unroll 8
    for (int i = 0; i < kHalf; ++i) {
      mixed[2 * i] = interleave<0>(rows[i], rows[i + kHalf], All{});
      mixed[2 * i + 1] = interleave<kHalf>(rows[i], rows[i + kHalf], All{});
    }
#pragma GCC unroll 16
    for (int i = 0; i < kLanes; ++i) rows[i] = mixed[i];
  }
}

// Samples under the window, to where the first pass wants them.
inline void read_frames(const MelTask& task) {
  const MelPlan& plan = *task.plan;
  const int32_t* place = plan.places;
  for (int64_t first = 0; first < plan.fft_size; first += kLanes) {
    Vec rows[kLanes] = {};
    const int64_t left = plan.span - first;
    if (left > 0) {
      const Vec window = load_part(plan.window + first, left);
      for (int64_t i = 0; i < task.frames; ++i) {
        rows[i] = load_part(task.from + i * task.hop + first, left) * window;
      }
      transpose(rows);
    }
    for (int64_t i = 0; i < kLanes && first + i < plan.fft_size; i += 2) {
      store_complex(task.work + *place++ * 2 * kLanes, {rows[i], rows[i + 1]});
    }
  }
}

// Powers of the real transform out of the complex one of half its size. With halved samples,
// Z[k] + conj Z[N/2 - k] and -i (Z[k] - conj Z[N/2 - k]) are the transforms of even and odd
// samples.
inline void measure_bins(const MelPlan& plan, const float* work, float* powers) {
  const int64_t half = plan.fft_size / 2;
  for (int64_t k = 0; k <= half / 2; ++k) {
    const Complex a = load_complex(work + k * 2 * kLanes);
    const Complex b = load_complex(work + (k == 0 ? 0 : half - k) * 2 * kLanes);
    const Complex even = {a.re + b.re, a.im - b.im};
    const Complex odd = times_minus_i({a.re - b.re, a.im + b.im});
    const Complex turned = turn(odd, plan.turns[2 * k], plan.turns[2 * k + 1]);
    const Complex low = even + turned, high = even - turned;
    store(powers + k * kLanes, low.re * low.re + low.im * low.im);
    store(powers + (half - k) * kLanes, high.re * high.re + high.im * high.im);
  }
  const int64_t count = (half + 1) * kLanes;
  const float epsilon = plan.epsilon;
  if (plan.is_magnitude) {
    for (int64_t i = 0; i < count; ++i) powers[i] = __builtin_sqrtf(powers[i] + epsilon);
  } else if (epsilon != 0) {
    for (int64_t i = 0; i < count; ++i) powers[i] += epsilon;
  }
}

inline Vec compress(Vec x, const MelPlan& plan) {
  if (plan.log_factor == 0) return (x < plan.floor ? broadcast(plan.floor) : x) + plan.offset;
  const Vec value = natural_log(x + plan.offset) * plan.log_factor;
  return x <= plan.floor ? broadcast(plan.floor_result) : value;
}

inline Vec weigh(const float* weights, const float* bins, int64_t count) {
  Vec even{}, odd{};
  int64_t i = 0;
  for (; i + 2 <= count; i += 2) {
    even += weights[i] * load(bins + i * kLanes);
    odd += weights[i + 1] * load(bins + (i + 1) * kLanes);
  }
  if (i < count) even += weights[i] * load(bins + i * kLanes);
  return even + odd;
}

inline void filter_bins(const MelTask& task, const float* bins) {
  const MelPlan& plan = *task.plan;
  const float* weights = plan.weights;
  for (int64_t first = 0; first < plan.mel_bins; first += kLanes) {
    const int64_t left = plan.mel_bins - first;
    Vec rows[kLanes] = {};
    for (int64_t i = 0; i < kLanes && i < left; ++i) {
      const int64_t count = plan.counts[first + i];
      rows[i] = compress(weigh(weights, bins + plan.starts[first + i] * kLanes, count), plan);
      weights += count;
    }
    transpose(rows);
    for (int64_t i = 0; i < task.frames; ++i) {
      store_part(task.to + i * plan.mel_bins + first, rows[i], left);
    }
  }
}

inline void mel(const MelTask& task) {
  const MelPlan& plan = *task.plan;
  float* const bins = task.work + plan.fft_size * kLanes;
  read_frames(task);
  transform_frames(plan.passes, plan.pass_count, task.work);
  measure_bins(plan, task.work, bins);
  filter_bins(task, bins);
}

}  // namespace musicldm::kernels::MUSICLDM_ISA
