// Matrix product over packed panels. A tile of the result stays in registers over the whole depth:
// with 512-bit vectors 14 rows of 2 vectors, with fewer registers 6 rows.
#pragma once

#include "kernels/cpu/simd.h"
#include "kernels/cpu/tasks.h"

namespace musicldm::kernels::MUSICLDM_ISA {

inline constexpr int kMostRows = MUSICLDM_VECTOR_BYTES == 64 ? 14 : 6;
inline constexpr int64_t kPanel = 2 * kLanes;

// Cache lines that are asked for while others are multiplied.
inline constexpr int64_t kLine = 16;

// Adds one step of depth to a tile. Rows are addressed in threes from few base pointers, because
// 14 pointers would not fit the general registers.
template <int Rows, int Vectors>
[[gnu::always_inline]] inline void multiply_step(const float* const* base, int64_t stride,
                                                 int64_t k, const float* b,
                                                 Vec (&tile)[Rows][Vectors]) {
  Vec row[Vectors];
  for (int v = 0; v < Vectors; ++v) row[v] = load(b + v * kLanes);
#pragma GCC unroll 16
  for (int r = 0; r < Rows; ++r) {
    const Vec a = broadcast(base[r / 3][k + (r % 3) * stride]);
    for (int v = 0; v < Vectors; ++v) tile[r][v] += a * row[v];
  }
}

// Which part of the panel that follows, which may come from far away, is asked for meanwhile.
struct Ahead {
  const float* from;
  int64_t step;  // floats for each step of depth, at most a panel
};

template <int Rows, int Vectors>
[[gnu::always_inline]] inline void multiply(const GemmTask& task, const float* a, const float* b,
                                            Ahead ahead, Vec (&tile)[Rows][Vectors]) {
  const int64_t stride = task.a_stride;
  for (int64_t tap = 0; tap < task.taps; ++tap) {
    const float* first = a + (task.tap_offsets ? task.tap_offsets[tap] : 0);
    const float* base[(Rows + 2) / 3];
#pragma GCC unroll 8
    for (int i = 0; i < (Rows + 2) / 3; ++i) base[i] = first + 3 * i * stride;
    for (int64_t k = 0; k < task.depth; ++k, b += kPanel) {
      __builtin_prefetch(ahead.from, 0, 2);
      if (kPanel > kLine) __builtin_prefetch(ahead.from + ahead.step - kLine, 0, 2);
      ahead.from += ahead.step;
      multiply_step(base, stride, k, b, tile);
    }
  }
}

// erf to about 3e-7 as the quotient of an odd and an even polynomial; beyond ±3.83 it is ±1.
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
  return x * p * inverse(q);
}

inline Vec gelu(Vec x) { return 0.5F * x * (1.0F + error_function(x * 0.70710678118654752F)); }

// One vector of the result to `column` of `row`.
inline void write(const GemmTask& task, int64_t row, int64_t column, Vec value) {
  const Epilogue& epilogue = task.epilogue;
  const int64_t left = task.columns - column;
  if (left <= 0) return;
  float* const c = task.c + row * task.c_stride + column;
  if (epilogue.row_factors) value *= epilogue.row_factors[row];
  if (epilogue.bias) value += load_part(epilogue.bias + column, left);
  if (epilogue.residual) {
    value += load_part(epilogue.residual + row * epilogue.residual_stride + column, left);
  }
  if (epilogue.accumulate) value += load_part(c, left);
  if (epilogue.activation == Activation::kSilu) value = silu(value);
  if (epilogue.activation == Activation::kLeakyRelu) value = leaky(value, epilogue.slope);
  if (epilogue.activation == Activation::kGelu) value = gelu(value);
  store_part(c, value, left);
}

// The first half of a panel, gated by its second half.
inline void write_gated(const GemmTask& task, int64_t row, int64_t column, const Vec* halves) {
  const float* const bias = task.epilogue.bias;
  const Vec value = bias ? halves[0] + load(bias + column) : halves[0];
  const Vec gate = bias ? halves[1] + load(bias + column + kLanes) : halves[1];
  store(task.c + row * task.c_stride + column / 2, value * gelu(gate));
}

// Changes every vector of a tile, which stays in registers.
template <int Rows, int Vectors, class Change>
[[gnu::always_inline]] inline void for_each(Vec (&tile)[Rows][Vectors], const Change& change) {
#pragma GCC unroll 16
  for (int r = 0; r < Rows; ++r) {
    for (int v = 0; v < Vectors; ++v) change(tile[r][v], r, v);
  }
}

// A tile whose columns all exist, with what costs few instructions.
template <int Rows, int Vectors>
[[gnu::always_inline]] inline void write_whole(const GemmTask& task, int64_t row, int64_t column,
                                               Vec (&tile)[Rows][Vectors]) {
  const Epilogue& epilogue = task.epilogue;
  float* const c = task.c + row * task.c_stride + column;
  if (epilogue.row_factors) {
    const float* const factors = epilogue.row_factors + row;
    for_each(tile, [&](Vec& value, int r, int) { value *= factors[r]; });
  }
  if (epilogue.bias) {
    const float* const bias = epilogue.bias + column;
    for_each(tile, [&](Vec& value, int, int v) { value += load(bias + v * kLanes); });
  }
  if (epilogue.residual) {
    const int64_t stride = epilogue.residual_stride;
    const float* const residual = epilogue.residual + row * stride + column;
    for_each(tile,
             [&](Vec& value, int r, int v) { value += load(residual + r * stride + v * kLanes); });
  }
  if (epilogue.accumulate) {
    for_each(tile,
             [&](Vec& value, int r, int v) { value += load(c + r * task.c_stride + v * kLanes); });
  }
  if (epilogue.activation == Activation::kLeakyRelu) {
    for_each(tile, [&](Vec& value, int, int) { value = leaky(value, epilogue.slope); });
  }
  for_each(tile,
           [&](Vec& value, int r, int v) { store(c + r * task.c_stride + v * kLanes, value); });
}

// Of a tile in memory, because unrolled it would be as long as all else.
[[gnu::noinline]] inline void apply_gelu(float* c, int64_t stride, int64_t rows, int64_t vectors) {
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t v = 0; v < vectors; ++v) {
      float* const at = c + r * stride + v * kLanes;
      store(at, gelu(load(at)));
    }
  }
}

template <int Rows, int Vectors>
void multiply_rows(const GemmTask& task, int64_t row, int64_t column, Ahead ahead) {
  // Not `= {}`, for which GCC clears memory that is then not used.
  Vec tile[Rows][Vectors];
  for_each(tile, [](Vec& value, int, int) { value = Vec{}; });
  const float* const a = task.a + row * task.a_stride;
  const float* const b = task.b + column * task.taps * task.depth;
  multiply(task, a, b, ahead, tile);
  const Activation activation = task.epilogue.activation;
  const bool is_whole = activation != Activation::kSilu && activation != Activation::kGatedGelu;
  if (is_whole && task.columns - column >= Vectors * kLanes) {
    write_whole(task, row, column, tile);
    if (activation != Activation::kGelu) return;
    apply_gelu(task.c + row * task.c_stride + column, task.c_stride, Rows, Vectors);
    return;
  }
  if constexpr (Vectors == 2) {
    if (activation == Activation::kGatedGelu) {
      for (int r = 0; r < Rows; ++r) write_gated(task, row + r, column, tile[r]);
      return;
    }
  }
  for (int r = 0; r < Rows; ++r) {
    for (int v = 0; v < Vectors; ++v) write(task, row + r, column + v * kLanes, tile[r][v]);
  }
}

using RowsFunction = void (*)(const GemmTask&, int64_t, int64_t, Ahead);

template <int Vectors, int Rows>
RowsFunction rows_function(int64_t rows) {
  if constexpr (Rows > 1) {
    if (rows < Rows) return rows_function<Vectors, Rows - 1>(rows);
  }
  return multiply_rows<Rows, Vectors>;
}

// Rows are dealt evenly into as few blocks as fit the registers. Each block asks for its share of
// the panel that follows: all at once would wait for memory.
template <int Vectors>
void multiply_panel(const GemmTask& task, int64_t column) {
  const int64_t blocks = (task.rows + kMostRows - 1) / kMostRows;
  const int64_t rows = task.rows / blocks;
  const int64_t larger = task.rows % blocks;  // this many blocks have a row more
  const RowsFunction small_block = rows_function<Vectors, kMostRows>(rows);
  const RowsFunction large_block = rows_function<Vectors, kMostRows>(rows + 1);
  const int64_t panel = task.taps * task.depth * kPanel;
  const float* const next = task.b + column / kPanel * panel + panel;
  const int64_t step = (kPanel + blocks - 1) / blocks;
  for (int64_t i = 0, row = 0; i < blocks; ++i) {
    const Ahead ahead{next + i * task.taps * task.depth * step, step};
    (i < larger ? large_block : small_block)(task, row, column, ahead);
    row += rows + (i < larger ? 1 : 0);
  }
}

inline void gemm(const GemmTask& task) {
  if (task.rows == 0) return;
  for (int64_t column = 0; column < task.columns; column += kPanel) {
    if (task.columns - column > kLanes) {
      multiply_panel<2>(task, column);
    } else {
      multiply_panel<1>(task, column);
    }
  }
}

}  // namespace musicldm::kernels::MUSICLDM_ISA
