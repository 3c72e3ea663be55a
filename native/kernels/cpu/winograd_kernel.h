// Tile transforms of Winograd convolutions with kernels of 3, over vectors of channels.
#pragma once

#include "kernels/cpu/simd.h"
#include "kernels/cpu/tasks.h"
#include "kernels/cpu/winograd_points.h"

namespace musicldm::kernels::MUSICLDM_ISA {

// Line of Outputs + 2 inputs d to as many values v, each `step` vectors apart.
template <int Outputs>
[[gnu::always_inline]] inline void forward_line(const Vec* d, Vec* v, int step) {
  if constexpr (Outputs == 4) {
    const Vec even_a = d[4] - kB2 * d[2];
    const Vec odd_a = kA * (d[3] - kB2 * d[1]);
    const Vec even_b = d[4] - kA2 * d[2];
    const Vec odd_b = kB * (d[3] - kA2 * d[1]);
    v[0] = (d[4] - (kA2 + kB2) * d[2]) + kA2 * kB2 * d[0];
    v[1 * step] = even_a + odd_a;
    v[2 * step] = even_a - odd_a;
    v[3 * step] = even_b + odd_b;
    v[4 * step] = even_b - odd_b;
    v[5 * step] = (d[5] - (kA2 + kB2) * d[3]) + kA2 * kB2 * d[1];
  } else {
    v[0] = d[0] - d[2];
    v[1 * step] = d[1] + d[2];
    v[2 * step] = d[2] - d[1];
    v[3 * step] = d[3] - d[1];
  }
}

// Line of Outputs + 2 products m to Outputs sums y.
template <int Outputs>
[[gnu::always_inline]] inline void backward_line(const Vec* m, Vec* y, int step) {
  if constexpr (Outputs == 4) {
    const Vec sum_a = m[1] + m[2];
    const Vec difference_a = m[1] - m[2];
    const Vec sum_b = m[3] + m[4];
    const Vec difference_b = m[3] - m[4];
    y[0] = m[0] + sum_a + sum_b;
    y[1 * step] = kA * difference_a + kB * difference_b;
    y[2 * step] = kA2 * sum_a + kB2 * sum_b;
    y[3 * step] = kA * kA2 * difference_a + kB * kB2 * difference_b + m[5];
  } else {
    y[0] = m[0] + m[1] + m[2];
    y[1 * step] = m[1] - m[2] + m[3];
  }
}

template <int Height, int Width>
void transform_input(const WinogradInputTask& task) {
  constexpr int kRows = Height + 2, kColumns = Width + 2;
  for (int64_t c = 0; c < task.vectors; ++c) {
    Vec half[kRows][kColumns];
#pragma GCC unroll 6
    for (int row = 0; row < kRows; ++row) {
      Vec line[kColumns];
      const float* from = task.from + row * task.row_stride + c * kLanes;
#pragma GCC unroll 6
      for (int i = 0; i < kColumns; ++i) line[i] = load(from + i * task.pixel_stride);
      forward_line<Width>(line, half[row], 1);
    }
    float* to = task.to + c * kLanes;
#pragma GCC unroll 6
    for (int column = 0; column < kColumns; ++column) {
      Vec line[kRows], values[kRows];
#pragma GCC unroll 6
      for (int i = 0; i < kRows; ++i) line[i] = half[i][column];
      forward_line<Height>(line, values, 1);
#pragma GCC unroll 6
      for (int i = 0; i < kRows; ++i) {
        store(to + (i * kColumns + column) * task.plane_stride, values[i]);
      }
    }
  }
}

inline void write_pixel(const WinogradOutputTask& task, int64_t at, int64_t c, Vec value) {
  const int64_t left = task.columns - c;
  if (task.residual) value += load_part(task.residual + at, left);
  store_part(task.to + at, value, left);
}

template <int Height, int Width>
void transform_output(const WinogradOutputTask& task) {
  constexpr int kRows = Height + 2, kColumns = Width + 2;
  for (int64_t c = 0; c < task.columns; c += kLanes) {
    Vec half[kRows][Width];
#pragma GCC unroll 6
    for (int row = 0; row < kRows; ++row) {
      Vec line[kColumns];
      const float* from = task.from + row * kColumns * task.plane_stride + c;
#pragma GCC unroll 6
      for (int i = 0; i < kColumns; ++i) line[i] = load(from + i * task.plane_stride);
      backward_line<Width>(line, half[row], 1);
    }
    Vec result[Height][Width];
#pragma GCC unroll 4
    for (int column = 0; column < Width; ++column) {
      Vec line[kRows];
#pragma GCC unroll 6
      for (int i = 0; i < kRows; ++i) line[i] = half[i][column];
      backward_line<Height>(line, &result[0][column], Width);
    }
    const Vec bias = task.bias ? load_part(task.bias + c, task.columns - c) : Vec{};
    for (int64_t row = 0; row < task.rows; ++row) {
      for (int64_t i = 0; i < task.pixels; ++i) {
        const int64_t at = row * task.row_stride + i * task.pixel_stride + c;
        write_pixel(task, at, c, result[row][i] + bias);
      }
    }
  }
}

inline void winograd_input(const WinogradInputTask& task) {
  const bool tall = task.tile.height == 4;
  if (task.tile.width == 4) return tall ? transform_input<4, 4>(task) : transform_input<2, 4>(task);
  return tall ? transform_input<4, 2>(task) : transform_input<2, 2>(task);
}

inline void winograd_output(const WinogradOutputTask& task) {
  const bool tall = task.tile.height == 4;
  if (task.tile.width == 4) {
    return tall ? transform_output<4, 4>(task) : transform_output<2, 4>(task);
  }
  return tall ? transform_output<4, 2>(task) : transform_output<2, 2>(task);
}

}  // namespace musicldm::kernels::MUSICLDM_ISA
