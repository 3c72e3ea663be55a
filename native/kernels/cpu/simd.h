// Vectors of one instruction set. Every isa_*.cc compiles the kernels anew in a namespace of its
// own; nothing here or in them may instantiate code of the standard library, which the linker
// would be free to share with machines that lack the instructions.
#pragma once

#ifdef __AVX512F__
#include <immintrin.h>
#endif

#include <cstdint>

namespace musicldm::kernels::MUSICLDM_ISA {

inline constexpr int64_t kLanes = MUSICLDM_VECTOR_BYTES / 4;

using Vec = float __attribute__((vector_size(MUSICLDM_VECTOR_BYTES)));
using IntVec = int32_t __attribute__((vector_size(MUSICLDM_VECTOR_BYTES)));
using UnalignedVec = float __attribute__((vector_size(MUSICLDM_VECTOR_BYTES), aligned(4)));
using DoubleVec = double __attribute__((vector_size(MUSICLDM_VECTOR_BYTES)));
using UnalignedDoubleVec = double __attribute__((vector_size(MUSICLDM_VECTOR_BYTES), aligned(8)));
// As many floats as there are doubles in a vector.
using UnalignedHalfVec = float __attribute__((vector_size(MUSICLDM_VECTOR_BYTES / 2), aligned(4)));

inline Vec load(const float* from) { return *reinterpret_cast<const UnalignedVec*>(from); }
inline void store(float* to, Vec value) { *reinterpret_cast<UnalignedVec*>(to) = value; }
inline DoubleVec load(const double* from) {
  return *reinterpret_cast<const UnalignedDoubleVec*>(from);
}
inline void store(double* to, DoubleVec value) {
  *reinterpret_cast<UnalignedDoubleVec*>(to) = value;
}
inline Vec broadcast(float value) { return value - Vec{}; }

// The first `count` lanes; the others are zero.
inline Vec load_part(const float* from, int64_t count) {
  if (count >= kLanes) return load(from);
  Vec value{};
  for (int64_t i = 0; i < count; ++i) value[i] = from[i];
  return value;
}

inline void store_part(float* to, Vec value, int64_t count) {
  if (count >= kLanes) {
    store(to, value);
    return;
  }
  for (int64_t i = 0; i < count; ++i) to[i] = value[i];
}

// Of a NaN and a number both give `b`.
inline Vec maximum(Vec a, Vec b) { return a > b ? a : b; }
inline Vec minimum(Vec a, Vec b) { return a < b ? a : b; }

inline float sum(Vec value) {
  float total = 0;
  for (int64_t i = 0; i < kLanes; ++i) total += value[i];
  return total;
}

inline float highest(Vec value) {
  float result = value[0];
  for (int64_t i = 1; i < kLanes; ++i) result = value[i] > result ? value[i] : result;
  return result;
}

// 2^x for x of at most 0, to 2e-7 in relative error: a polynomial on ±1/2, Cephes exp2f. NaN stays.
inline Vec power_of_two(Vec x) {
  x = maximum(broadcast(-126.0F), x);
  constexpr float kRound = 12582912.0F;
  const Vec shifted = x + kRound;
  const Vec r = x - (shifted - kRound);
  Vec p = broadcast(1.535336188319500e-4F);
  p = p * r + 1.339887440266574e-3F;
  p = p * r + 9.618437357674640e-3F;
  p = p * r + 5.550332471162809e-2F;
  p = p * r + 2.402264791363012e-1F;
  p = p * r + 6.931472028550421e-1F;
  p = p * r + 1.0F;
  const IntVec exponent = reinterpret_cast<IntVec>(shifted) << 23;
  return reinterpret_cast<Vec>(reinterpret_cast<IntVec>(p) + exponent);
}

// 1 / x to the last bit or two for normal x whose inverse is normal.
inline Vec inverse(Vec x) {
#ifdef __AVX512F__
  // Division of wide vectors takes as long as all else here: an estimate to 14 bits, and one step
  // of Newton's iteration.
  // The masked form, with every lane, leaves GCC 12 nothing to call uninitialised.
  const auto wide = reinterpret_cast<__m512>(x);
  const auto estimate = reinterpret_cast<Vec>(_mm512_mask_rcp14_ps(wide, 0xFFFF, wide));
  return estimate * (2.0F - x * estimate);
#else
  return 1.0F / x;
#endif
}

// ln x for normal x above 0, to 1e-7 in relative error: a polynomial between the roots of 1/2 and
// 2, Cephes logf. Infinity and NaN stay.
inline Vec natural_log(Vec x) {
  constexpr int32_t kRootOfHalf = 0x3f3504f3;
  const IntVec bits = reinterpret_cast<IntVec>(x);
  const IntVec exponent = (bits - kRootOfHalf) >> 23;
  const Vec e = __builtin_convertvector(exponent, Vec);
  const Vec r = reinterpret_cast<Vec>(bits - (exponent << 23)) - 1.0F;
  Vec p = broadcast(7.0376836292e-2F);
  p = p * r - 1.1514610310e-1F;
  p = p * r + 1.1676998740e-1F;
  p = p * r - 1.2420140846e-1F;
  p = p * r + 1.4249322787e-1F;
  p = p * r - 1.6668057665e-1F;
  p = p * r + 2.0000714765e-1F;
  p = p * r - 2.4999993993e-1F;
  p = p * r + 3.3333331174e-1F;
  // ln 2 in two parts, of which the first times an exponent is exact.
  const Vec square = r * r;
  const Vec rest = p * r * square - 0.5F * square + e * -2.12194440e-4F;
  const Vec result = e * 0.693359375F + (r + rest);
  constexpr float kLargest = 3.40282346638528859812e+38F;
  return x <= kLargest ? result : x;
}

inline Vec silu(Vec x) {
  constexpr float kLog2E = 1.44269504088896341F;
  return x * inverse(1.0F + power_of_two(x * -kLog2E));
}

inline Vec leaky(Vec x, float slope) { return x > Vec{} ? x : x * slope; }

}  // namespace musicldm::kernels::MUSICLDM_ISA
