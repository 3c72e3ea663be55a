#include "clap/window_attention.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/roll.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/where.h>

#include <array>
#include <cmath>

#include "kernels/cpu/window_attention.h"
#include "nn/packed_weights.h"

namespace musicldm::clap {

namespace {

// Which of the regions that the shift keeps apart a row (or column) belongs to: [length] i64.
at::Tensor regions(int64_t length, Windows windows, const at::Device& device) {
  const at::Tensor index = at::arange(length, at::TensorOptions(at::kLong).device(device));
  return index.ge(length - windows.size).to(at::kLong) + index.ge(length - windows.shift);
}

// [B, H, W, ...] -> [B, H / size, W / size, size, size, ...]
at::Tensor partition(const at::Tensor& map, int64_t size) {
  return map.unflatten(2, {-1, size}).unflatten(1, {-1, size}).transpose(2, 3);
}

// What is added to the scores of each window of a shifted grid: [H W / N, N, N].
at::Tensor shift_mask(at::IntArrayRef map, Windows windows, const at::TensorOptions& options) {
  const at::Tensor rows = regions(map[0], windows, options.device()).unsqueeze(1);
  const at::Tensor columns = regions(map[1], windows, options.device());
  const at::Tensor labels =
      partition((3 * rows + columns).unsqueeze(0), windows.size).flatten(3).flatten(0, 2);
  const at::Tensor differ = labels.unsqueeze(1).ne(labels.unsqueeze(2));
  return at::where(differ, at::Scalar(-100.0), at::Scalar(0.0)).to(options);
}

at::Tensor packed(const at::Tensor& qkv, const at::Tensor& bias, Windows windows) {
  const at::Tensor tokens = qkv.contiguous();
  const int64_t channels = qkv.size(3) / 3;
  at::Tensor added = bias.unsqueeze(0);
  if (windows.shift > 0) {
    const std::array edge{2 * windows.size, 2 * windows.size};  // has each kind of window once
    added = added + shift_mask(edge, windows, bias.options()).unsqueeze(1);
  }
  added = added.contiguous();
  at::Tensor out = at::empty({qkv.size(0), qkv.size(1), qkv.size(2), channels}, qkv.options());
  kernels::run_window_attention(kernels::kernels(), {.tokens = tokens.const_data_ptr<float>(),
                                                     .batch = qkv.size(0),
                                                     .height = qkv.size(1),
                                                     .width = qkv.size(2),
                                                     .window = windows.size,
                                                     .shift = windows.shift,
                                                     .heads = bias.size(0),
                                                     .head_width = channels / bias.size(0),
                                                     .bias = added.const_data_ptr<float>(),
                                                     .out = out.mutable_data_ptr<float>()});
  return out;
}

}  // namespace

at::Tensor window_attention(const at::Tensor& qkv, const at::Tensor& bias, Windows windows,
                            nn::Dropout* dropout) {
  const bool drops = dropout && dropout->active();
  if (!drops && nn::runs_packed({qkv, bias})) return packed(qkv, bias, windows);
  const auto [size, shift] = windows;
  const int64_t heads = bias.size(0);
  const int64_t batch = qkv.size(0);
  const int64_t height = qkv.size(1);
  const int64_t width = qkv.size(2);
  const at::Tensor map = shift > 0 ? at::roll(qkv, {-shift, -shift}, {1, 2}) : qkv;
  const at::Tensor parts =
      partition(map, size)
          .flatten(3, 4)                   // [B, rows, columns, N, 3 C]
          .unflatten(4, {3, heads, -1})    // … [N, 3, heads, D]
          .permute({4, 0, 1, 2, 5, 3, 6})  // [3, B, rows, columns, heads, N, D]
          .flatten(2, 3);                  // [3, B, windows, heads, N, D]
  const double scale = 1 / std::sqrt(static_cast<double>(parts.size(5)));
  at::Tensor scores = (parts[0] * scale).matmul(parts[1].transpose(3, 4)) + bias;
  if (shift > 0) {
    const std::array grid{height, width};
    scores = scores + shift_mask(grid, windows, bias.options()).unsqueeze(1);
  }
  at::Tensor probabilities = scores.softmax(-1);
  if (drops) probabilities = dropout->forward(probabilities);
  const at::Tensor mixed = probabilities.matmul(parts[2])
                               .unflatten(3, {size, size})
                               .unflatten(1, {height / size, width / size})
                               .permute({0, 1, 4, 2, 5, 3, 6})  // [B, rows, size, columns, size, …]
                               .reshape({batch, height, width, -1});
  return shift > 0 ? at::roll(mixed, {shift, shift}, {1, 2}) : mixed;
}

at::Tensor relative_position_index(int64_t size) {
  const at::Tensor along = at::arange(size);
  const at::Tensor apart = along.unsqueeze(1) - along + size - 1;  // [query, key]
  const at::Tensor rows = apart.unsqueeze(1).unsqueeze(3);         // [size, 1, size, 1]
  const at::Tensor columns = apart.unsqueeze(1);                   // [size, 1, size]
  return (rows * (2 * size - 1) + columns).flatten();
}

}  // namespace musicldm::clap
