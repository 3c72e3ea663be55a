// Mel spectra of frames, one frame in each lane of a vector: nothing but the reading of samples and
// the writing of results moves numbers between lanes, and a spectrum never leaves the cache.
#pragma once

#include "kernels/cpu/mel_task.h"
#include "kernels/cpu/simd.h"

namespace musicldm::kernels::MUSICLDM_ISA {

template <class Real>
struct VectorOf {
  using Type = Vec;
};
template <>
struct VectorOf<double> {
  using Type = DoubleVec;
};
template <class Real>
using Vector = typename VectorOf<Real>::Type;
template <class Real>
inline constexpr int64_t kWidth = MUSICLDM_VECTOR_BYTES / static_cast<int64_t>(sizeof(Real));

template <class Real>
struct Complex {
  Vector<Real> re, im;
};

template <class Real>
inline Complex<Real> load_complex(const Real* from) {
  return {load(from), load(from + kWidth<Real>)};
}

template <class Real>
inline void store_complex(Real* to, Complex<Real> value) {
  store(to, value.re);
  store(to + kWidth<Real>, value.im);
}

template <class Real>
inline Complex<Real> operator+(Complex<Real> a, Complex<Real> b) {
  return {a.re + b.re, a.im + b.im};
}
template <class Real>
inline Complex<Real> operator-(Complex<Real> a, Complex<Real> b) {
  return {a.re - b.re, a.im - b.im};
}
template <class Real>
inline Complex<Real> operator*(Complex<Real> a, Real b) {
  return {a.re * b, a.im * b};
}
template <class Real>
inline Complex<Real> times_minus_i(Complex<Real> a) {
  return {a.im, -a.re};
}

// Times exp(-i angle), of which cosine and sine are given.
template <class Real>
inline Complex<Real> turn(Complex<Real> a, Real cosine, Real sine) {
  return {a.re * cosine + a.im * sine, a.im * cosine - a.re * sine};
}

// Discrete Fourier transforms of 2, 3, 4 and 5 numbers.
template <class Real>
[[gnu::always_inline]] inline void transform_few(Complex<Real> (&x)[2]) {
  const Complex<Real> a = x[0], b = x[1];
  x[0] = a + b;
  x[1] = a - b;
}

template <class Real>
[[gnu::always_inline]] inline void transform_few(Complex<Real> (&x)[3]) {
  constexpr Real kSine = 0.86602540378443864676;
  const Complex<Real> sum = x[1] + x[2];
  const Complex<Real> middle = x[0] - sum * Real(0.5);
  const Complex<Real> side = times_minus_i((x[1] - x[2]) * kSine);
  x[0] = x[0] + sum;
  x[1] = middle + side;
  x[2] = middle - side;
}

template <class Real>
[[gnu::always_inline]] inline void transform_few(Complex<Real> (&x)[4]) {
  const Complex<Real> a = x[0] + x[2], b = x[0] - x[2];
  const Complex<Real> c = x[1] + x[3], d = times_minus_i(x[1] - x[3]);
  x[0] = a + c;
  x[1] = b + d;
  x[2] = a - c;
  x[3] = b - d;
}

template <class Real>
[[gnu::always_inline]] inline void transform_few(Complex<Real> (&x)[5]) {
  constexpr Real kCosine1 = 0.30901699437494742410, kCosine2 = -0.80901699437494742410;
  constexpr Real kSine1 = 0.95105651629515357212, kSine2 = 0.58778525229247312917;
  const Complex<Real> near = x[1] + x[4], far = x[2] + x[3];
  const Complex<Real> near_gap = x[1] - x[4], far_gap = x[2] - x[3];
  const Complex<Real> middle1 = x[0] + near * kCosine1 + far * kCosine2;
  const Complex<Real> middle2 = x[0] + near * kCosine2 + far * kCosine1;
  const Complex<Real> side1 = times_minus_i(near_gap * kSine1 + far_gap * kSine2);
  const Complex<Real> side2 = times_minus_i(near_gap * kSine2 - far_gap * kSine1);
  x[0] = x[0] + near + far;
  x[1] = middle1 + side1;
  x[2] = middle2 + side2;
  x[3] = middle2 - side2;
  x[4] = middle1 - side1;
}

template <int R, bool turned, class Real>
void join(const FourierPass<Real>& pass, Real* work) {
  constexpr int64_t kPair = 2 * kWidth<Real>;
  const int64_t stride = pass.length * kPair;
  const Real* twiddles = pass.twiddles;
  for (int64_t j = 0; j < pass.length; ++j, work += kPair, twiddles += 2 * (R - 1)) {
    Complex<Real> x[R];
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

template <int R, class Real>
void join_any(const FourierPass<Real>& pass, Real* work) {
  if (pass.length == 1) return join<R, false>(pass, work);
  join<R, true>(pass, work);
}

// In place, decimating in time; part after part, so that the smaller ones stay in the first cache.
template <class Real>
void transform_frames(const FourierPass<Real>* passes, int64_t count, Real* work) {
  const FourierPass<Real>& last = passes[count - 1];
  for (int64_t q = 0; count > 1 && q < last.radix; ++q) {
    transform_frames(passes, count - 1, work + q * last.length * 2 * kWidth<Real>);
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
template <int First, class V, int... I>
[[gnu::always_inline]] inline V interleave(V a, V b, Lanes<I...>) {
  return __builtin_shufflevector(a, b, (First + I / 2 + I % 2 * static_cast<int>(sizeof...(I)))...);
}

// Exchanges rows and lanes.
template <class V, int N>
[[gnu::always_inline]] inline void transpose(V (&rows)[N]) {
  using All = typename CountLanes<N>::type;
  constexpr int kHalf = N / 2;
#pragma GCC unroll 4
  for (int step = 1; step < N; step *= 2) {
    V mixed[N];
#pragma GCC unroll 8
    for (int i = 0; i < kHalf; ++i) {
      mixed[2 * i] = interleave<0>(rows[i], rows[i + kHalf], All{});
      mixed[2 * i + 1] = interleave<kHalf>(rows[i], rows[i + kHalf], All{});
    }
#pragma GCC unroll 16
    for (int i = 0; i < N; ++i) rows[i] = mixed[i];
  }
}

// The first `count` samples; the others are zero.
template <class Real>
[[gnu::always_inline]] inline Vector<Real> read_samples(const float* from, int64_t count) {
  if constexpr (sizeof(Real) == sizeof(float)) {
    return load_part(from, count);
  } else {
    if (count >= kWidth<Real>) {
      return __builtin_convertvector(*reinterpret_cast<const UnalignedHalfVec*>(from), DoubleVec);
    }
    DoubleVec value{};
    for (int64_t i = 0; i < count; ++i) value[i] = from[i];
    return value;
  }
}

template <class Real>
[[gnu::always_inline]] inline Vector<Real> load_window(const Real* from, int64_t count) {
  Vector<Real> value{};
  if (count >= kWidth<Real>) return load(from);
  for (int64_t i = 0; i < count; ++i) value[i] = from[i];
  return value;
}

// Samples under the window, to where the first pass wants them.
template <class Real>
void read_frames(const MelTask<Real>& task) {
  constexpr int64_t kFrames = kWidth<Real>;
  const MelPlan<Real>& plan = *task.plan;
  const int32_t* place = plan.places;
  for (int64_t first = 0; first < plan.fft_size; first += kFrames) {
    Vector<Real> rows[kFrames] = {};
    const int64_t left = plan.span - first;
    if (left > 0) {
      const Vector<Real> window = load_window(plan.window + first, left);
      for (int64_t i = 0; i < task.frames; ++i) {
        rows[i] = read_samples<Real>(task.from + i * task.hop + first, left) * window;
      }
      transpose(rows);
    }
    for (int64_t i = 0; i < kFrames && first + i < plan.fft_size; i += 2) {
      store_complex<Real>(task.work + *place++ * 2 * kFrames, {rows[i], rows[i + 1]});
    }
  }
}

inline float root(float value) { return __builtin_sqrtf(value); }
inline double root(double value) { return __builtin_sqrt(value); }

// Powers of the real transform out of the complex one of half its size. With halved samples,
// Z[k] + conj Z[N/2 - k] and -i (Z[k] - conj Z[N/2 - k]) are the transforms of even and odd
// samples.
template <class Real>
void measure_bins(const MelPlan<Real>& plan, const Real* work, Real* powers) {
  constexpr int64_t kFrames = kWidth<Real>;
  const int64_t half = plan.fft_size / 2;
  for (int64_t k = 0; k <= half / 2; ++k) {
    const Complex<Real> a = load_complex(work + k * 2 * kFrames);
    const Complex<Real> b = load_complex(work + (k == 0 ? 0 : half - k) * 2 * kFrames);
    const Complex<Real> even = {a.re + b.re, a.im - b.im};
    const Complex<Real> odd = times_minus_i<Real>({a.re - b.re, a.im + b.im});
    const Complex<Real> turned = turn(odd, plan.turns[2 * k], plan.turns[2 * k + 1]);
    const Complex<Real> low = even + turned, high = even - turned;
    store(powers + k * kFrames, low.re * low.re + low.im * low.im);
    store(powers + (half - k) * kFrames, high.re * high.re + high.im * high.im);
  }
  const int64_t count = (half + 1) * kFrames;
  const Real epsilon = plan.epsilon;
  if (plan.is_magnitude) {
    for (int64_t i = 0; i < count; ++i) powers[i] = root(powers[i] + epsilon);
  } else if (epsilon != 0) {
    for (int64_t i = 0; i < count; ++i) powers[i] += epsilon;
  }
}

template <class Real>
Vec compress(Vec x, const MelPlan<Real>& plan) {
  if (plan.log_factor == 0) return (x < plan.floor ? broadcast(plan.floor) : x) + plan.offset;
  const Vec value = natural_log(x + plan.offset) * plan.log_factor;
  return x <= plan.floor ? broadcast(plan.floor_result) : value;
}

template <class Real>
Vector<Real> weigh(const Real* weights, const Real* bins, int64_t count) {
  constexpr int64_t kFrames = kWidth<Real>;
  Vector<Real> even{}, odd{};
  int64_t i = 0;
  for (; i + 2 <= count; i += 2) {
    even += weights[i] * load(bins + i * kFrames);
    odd += weights[i + 1] * load(bins + (i + 1) * kFrames);
  }
  if (i < count) even += weights[i] * load(bins + i * kFrames);
  return even + odd;
}

template <class Real>
void filter_bins(const MelTask<Real>& task, const Real* bins) {
  constexpr int64_t kFrames = kWidth<Real>;
  const MelPlan<Real>& plan = *task.plan;
  const Real* weights = plan.weights;
  for (int64_t first = 0; first < plan.mel_bins; first += kLanes) {
    const int64_t left = plan.mel_bins - first;
    float values[kFrames][kLanes] = {};
    for (int64_t m = 0; m < kLanes && m < left; ++m) {
      const int64_t count = plan.counts[first + m];
      const Vector<Real> sums = weigh(weights, bins + plan.starts[first + m] * kFrames, count);
      for (int64_t i = 0; i < kFrames; ++i) values[i][m] = static_cast<float>(sums[i]);
      weights += count;
    }
    for (int64_t i = 0; i < task.frames; ++i) {
      store_part(task.to + i * plan.mel_bins + first, compress(load(values[i]), plan), left);
    }
  }
}

template <class Real>
void mel(const MelTask<Real>& task) {
  const MelPlan<Real>& plan = *task.plan;
  Real* const bins = task.work + plan.fft_size * kWidth<Real>;
  read_frames(task);
  transform_frames(plan.passes, plan.pass_count, task.work);
  measure_bins(plan, task.work, bins);
  filter_bins(task, bins);
}

}  // namespace musicldm::kernels::MUSICLDM_ISA
