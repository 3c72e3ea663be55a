#include "kernels/rates.h"

#ifdef MUSICLDM_X86
#include <immintrin.h>
#endif

namespace musicldm::kernels {

namespace {

// As many independent sums as hide the latency of two units of four cycles.
constexpr int kSums = 12;
constexpr float kFactor = 0.999F;
constexpr float kTerm = 0.001F;

// What the compiler knows nothing of: it must not take the sums for one, nor for unused.
volatile float source;
volatile float sink;

double operations(int64_t rounds, int lanes) {
  return 2.0 * kSums * lanes * static_cast<double>(rounds);
}

double run_portable(int64_t rounds) {
  constexpr int kLanes = 4;
  using Vec [[gnu::vector_size(4 * kLanes)]] = float;
  Vec sums[kSums];
  for (Vec& sum : sums) sum = Vec{} + source;
  for (int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 12
    for (Vec& sum : sums) sum = sum * kFactor + kTerm;
  }
  for (const Vec& sum : sums) sink = sum[0];
  return operations(rounds, kLanes);
}

#ifdef MUSICLDM_X86

[[gnu::target("avx2,fma")]] double run_avx2(int64_t rounds) {
  const __m256 factor = _mm256_set1_ps(kFactor);
  const __m256 term = _mm256_set1_ps(kTerm);
  __m256 sums[kSums];
  for (__m256& sum : sums) sum = _mm256_set1_ps(source);
  for (int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 12
    for (__m256& sum : sums) sum = _mm256_fmadd_ps(sum, factor, term);
  }
  for (const __m256& sum : sums) sink = _mm256_cvtss_f32(sum);
  return operations(rounds, 8);
}

[[gnu::target("avx512f")]] double run_avx512(int64_t rounds) {
  const __m512 factor = _mm512_set1_ps(kFactor);
  const __m512 term = _mm512_set1_ps(kTerm);
  __m512 sums[kSums];
  for (__m512& sum : sums) sum = _mm512_set1_ps(source);
  for (int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 12
    for (__m512& sum : sums) sum = _mm512_fmadd_ps(sum, factor, term);
  }
  for (const __m512& sum : sums) sink = _mm512_cvtss_f32(sum);
  return operations(rounds, 16);
}

#endif

}  // namespace

double run_fma_loop(const std::string& capability, int64_t rounds) {
#ifdef MUSICLDM_X86
  if (capability == "avx512") return run_avx512(rounds);
  if (capability == "avx2") return run_avx2(rounds);
#endif
  return run_portable(rounds);
}

}  // namespace musicldm::kernels
