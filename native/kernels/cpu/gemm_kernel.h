// Matrix product over packed panels. A tile of the result stays in registers over the whole depth:
// with 512-bit vectors 14 rows of 2 vectors, with fewer registers 6 rows.
#pragma once

#include "kernels/cpu/simd.h"
#include "kernels/cpu/tasks.h"

namespace musicldm::kernels::MUSICLDM_ISA {

inline constexpr int kMostRows = MUSICLDM_VECTOR_BYTES == 64 ? 14 : 6;
inline constexpr int64_t kPanel = 2 * kLanes;

// Adds one step of depth to a tile. Rows are addressed in threes from few base pointers, because
// 14 pointers would not fit the general registers.
template <int Rows>
[[gnu::always_inline]] inline void multiply_step(const float* const* base, int64_t stride,
                                                 int64_t k, const float* b, Vec (&tile)[Rows][2]) {
  const Vec b0 = load(b);
  const Vec b1 = load(b + kLanes);
#pragma GCC unroll 16
  for (int r = 0; r < Rows; ++r) {
    const Vec a = broadcast(base[r / 3][k + (r % 3) * stride]);
    tile[r][0] += a * b0;
    tile[r][1] += a * b1;
  }
}

template <int Rows>
[[gnu::always_inline]] inline void multiply(const GemmTask& task, const float* a, const float* b,
                                            Vec (&tile)[Rows][2]) {
  const int64_t stride = task.a_stride;
  for (int64_t tap = 0; tap < task.taps; ++tap) {
    const float* first = a + (task.tap_offsets ? task.tap_offsets[tap] : 0);
    const float* base[(Rows + 2) / 3];
#pragma GCC unroll 8
    for (int i = 0; i < (Rows + 2) / 3; ++i) base[i] = first + 3 * i * stride;
    for (int64_t k = 0; k < task.depth; ++k, b += kPanel) multiply_step(base, stride, k, b, tile);
  }
}

// erf to 3e-7, Abramowitz and Stegun 7.1.26 has only 1.5e-7 absolute near 0: a rational function of
// odd symmetry as in Eigen's float erf.
inline Vec error_function(Vec x) {
  x = minimum(maximum(x, broadcast(-3.832506856900711F)), broadcast(3.832506856900711F));
  const Vec x2 = x * x;
  Vec p = broadcast(-2.72614225801306e-10F);
  p = p * x2 + 2.77068142495902e-08F;
  p = p * x2 + -2.10102402082508e-06F;
  p = p * x2 + -5.69250639462346e-05F;
  p = p * x2 + -7.34990630326855e-04F;
  p = p * x2 + -2.95459980854025e-03F;
  p = p * x2 + -1.60960333262415e-02F;
  Vec q = broadcast(-1.45660718464996e-05F);
  q = q * x2 + -2.13374055278905e-04F;
  q = q * x2 + -1.68282697438203e-03F;
  q = q * x2 + -7.37332916720468e-03F;
  q = q * x2 + -1.42647390514189e-02F;
  return x * p / q;
}

inline Vec gelu(Vec x) { return 0.5F * x * (1.0F + error_function(x * 0.70710678118654752F)); }

struct Output {
  float* c;
  const float* residual;
  int64_t columns;  // that are left from here on
};

inline void write(const Epilogue& epilogue, const Output& to, int64_t at, Vec value) {
  const int64_t left = to.columns - at;
  if (left <= 0) return;
  if (epilogue.residual) value += load_part(to.residual + at, left);
  if (epilogue.accumulate) value += load_part(to.c + at, left);
  if (epilogue.activation == Activation::kSilu) value = silu(value);
  if (epilogue.activation == Activation::kLeakyRelu) value = leaky(value, epilogue.slope);
  store_part(to.c + at, value, left);
}

template <int Rows>
void multiply_rows(const GemmTask& task, int64_t row, int64_t column) {
  const Epilogue& epilogue = task.epilogue;
  const bool gated = epilogue.activation == Activation::kGatedGelu;
  const int64_t left = task.columns - column;
  Vec bias[2] = {};
  if (epilogue.bias) {
    bias[0] = load_part(epilogue.bias + column, left);
    if (left > kLanes) bias[1] = load_part(epilogue.bias + column + kLanes, left - kLanes);
  }
  Vec tile[Rows][2] = {};
  multiply(task, task.a + row * task.a_stride, task.b + column * task.taps * task.depth, tile);
  for (int r = 0; r < Rows; ++r) {
    const Vec first = tile[r][0] + bias[0];
    const Vec second = tile[r][1] + bias[1];
    float* c = task.c + (row + r) * task.c_stride;
    if (gated) {
      const Vec gelu_second = gelu(second);
      store(c + column / 2, first * gelu_second);
      continue;
    }
    const Output to{c + column, epilogue.residual + (row + r) * epilogue.residual_stride + column,
                    left};
    write(epilogue, to, 0, first);
    write(epilogue, to, kLanes, second);
  }
}

using RowsFunction = void (*)(const GemmTask&, int64_t, int64_t);

template <int Rows>
RowsFunction rows_function(int64_t rows) {
  if constexpr (Rows > 1) {
    if (rows < Rows) return rows_function<Rows - 1>(rows);
  }
  return multiply_rows<Rows>;
}

inline void gemm(const GemmTask& task) {
  const int64_t blocks = (task.rows + kMostRows - 1) / kMostRows;
  if (blocks == 0) return;
  const int64_t rows = task.rows / blocks;
  const int64_t larger = task.rows % blocks;  // this many blocks have a row more
  const RowsFunction small_block = rows_function<kMostRows>(rows);
  const RowsFunction large_block = rows_function<kMostRows>(rows + 1);
  for (int64_t column = 0; column < task.columns; column += kPanel) {
    for (int64_t i = 0, row = 0; i < blocks; ++i) {
      (i < larger ? large_block : small_block)(task, row, column);
      row += rows + (i < larger ? 1 : 0);
    }
  }
}

}  // namespace musicldm::kernels::MUSICLDM_ISA
