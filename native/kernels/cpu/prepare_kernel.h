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
void prepare_as(const PrepareTask& task) {
  const int64_t padded = (task.channels + kLanes - 1) / kLanes * kLanes;
  for (int64_t i = 0; i < task.count; ++i) {
    const int64_t pixel = task.pixels ? task.pixels[i] : i;
    float* to = task.to + i * task.to_stride;
    if (pixel < 0) {
      for (int64_t c = 0; c < padded; c += kLanes) store(to + c, Vec{});
      continue;
    }
    const float* from = task.from + pixel * task.from_stride;
    for (int64_t c = 0; c < task.channels; c += kLanes) {
      const int64_t left = task.channels - c;
      Vec value = load_part(from + c, left);
      if (scaled) value = value * load_part(task.scale + c, left) + load_part(task.shift + c, left);
      store(to + c, activate(value, kind, task.slope));
    }
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

}  // namespace musicldm::kernels::MUSICLDM_ISA
