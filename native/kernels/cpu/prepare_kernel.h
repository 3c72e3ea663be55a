// Copying with activation, and the moments that a normalisation needs.
#pragma once

#include "kernels/cpu/simd.h"
#include "kernels/cpu/tasks.h"

namespace musicldm::kernels::MUSICLDM_ISA {

inline Vec activate(Vec value, Activation activation, float slope) {
  if (activation == Activation::kSilu) return silu(value);
  return activation == Activation::kLeakyRelu ? leaky(value, slope) : value;
}

template <Activation kind, bool scaled>
[[gnu::always_inline]] inline Vec prepared(const PrepareTask& task, const float* from, int64_t c,
                                           int64_t left) {
  Vec value = load_part(from + c, left);
  if (scaled) value = value * load_part(task.scale + c, left) + load_part(task.shift + c, left);
  return activate(value, kind, task.slope);
}

template <Activation kind, bool scaled>
void prepare_as(const PrepareTask& task) {
  for (int64_t i = 0; i < task.count; ++i) {
    const int64_t pixel = task.pixels ? task.pixels[i] : i;
    float* to = task.to + i * task.to_stride;
    const int64_t channels = pixel < 0 ? 0 : task.channels;
    const float* from = task.from + pixel * task.from_stride;
    int64_t c = 0;
    for (; c + kLanes <= channels; c += kLanes) {
      store(to + c, prepared<kind, scaled>(task, from, c, kLanes));
    }
    if (c < channels) {
      store_part(to + c, prepared<kind, scaled>(task, from, c, channels - c), task.filled - c);
      c += kLanes;
    }
    for (; c < task.filled; c += kLanes) store_part(to + c, Vec{}, task.filled - c);
  }
}

template <Activation kind>
void prepare_scaled(const PrepareTask& task) {
  (task.scale ? prepare_as<kind, true> : prepare_as<kind, false>)(task);
}

inline void prepare(const PrepareTask& task) {
  switch (task.activation) {
    case Activation::kSilu:
      return prepare_scaled<Activation::kSilu>(task);
    case Activation::kLeakyRelu:
      return prepare_scaled<Activation::kLeakyRelu>(task);
    default:
      return prepare_scaled<Activation::kNone>(task);
  }
}

// Adds the lanes of a float vector to doubles.
inline void add_to(double* total, Vec value, int64_t count) {
  for (int64_t i = 0; i < kLanes && i < count; ++i) total[i] += static_cast<double>(value[i]);
}

inline void moments(const MomentsTask& task) {
  for (int64_t c = 0; c < task.channels; c += kLanes) {
    const int64_t left = task.channels - c;
    const Vec origin = load_part(task.origin + c, left);
    Vec sum{}, square{};
    for (int64_t i = 0; i < task.count; ++i) {
      const Vec value = load_part(task.from + i * task.from_stride + c, left) - origin;
      sum += value;
      square += value * value;
    }
    add_to(task.sums + c, sum, left);
    add_to(task.squares + c, square, left);
  }
}

inline float row_maximum(const float* row, int64_t columns) {
  Vec most = broadcast(row[0]);
  int64_t i = 0;
  for (; i + kLanes <= columns; i += kLanes) most = maximum(load(row + i), most);
  float result = highest(most);
  for (; i < columns; ++i) result = row[i] > result ? row[i] : result;
  return result;
}

inline void softmax(const SoftmaxTask& task) {
  const float factor = task.factor * 1.44269504088896341F;  // powers of two, not of e
  for (int64_t r = 0; r < task.rows; ++r) {
    float* const row = task.scores + r * task.stride;
    const float offset = row_maximum(row, task.columns) * factor;
    Vec total{};
    int64_t i = 0;
    for (; i + kLanes <= task.columns; i += kLanes) {
      const Vec value = power_of_two(load(row + i) * factor - offset);
      store(row + i, value);
      total += value;
    }
    float rest = 0;
    if (i < task.columns) {
      const int64_t left = task.columns - i;
      const Vec value = power_of_two(load_part(row + i, left) * factor - offset);
      store_part(row + i, value, left);
      for (int64_t lane = 0; lane < left; ++lane) rest += value[lane];
    }
    task.inverse_sums[r] = 1 / (sum(total) + rest);
  }
}

}  // namespace musicldm::kernels::MUSICLDM_ISA
