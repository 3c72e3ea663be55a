// How the tensor ops read what the TypeScript half sends.
#pragma once

#include <ATen/ScalarOps.h>
#include <ATen/core/Tensor.h>

#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "runtime/registry.h"

namespace musicldm::bindings {

// Defaults live in TypeScript, so every option below is either sent or deliberately null.

// A number that is integral counts as an integer in type promotion, as Python's literals do.
inline at::Scalar scalar(double value) {
  constexpr double kLargest = 9007199254740992.0;  // 2^53
  const bool is_integer = std::trunc(value) == value && std::abs(value) < kLargest;
  return is_integer ? at::Scalar(static_cast<int64_t>(value)) : at::Scalar(value);
}

// A Tensor, or a number that takes part in type promotion as a Python number would.
inline at::Tensor operand(const runtime::Args& args, size_t i) {
  const auto* number = std::get_if<double>(&args.at(i).data);
  return number ? at::native::wrapped_scalar_tensor(scalar(*number)) : args.tensor(i);
}

inline std::optional<int64_t> optional_integer(const runtime::Args& args, size_t i) {
  return args.has(i) ? std::optional(args.integer(i)) : std::nullopt;
}

inline std::optional<std::vector<int64_t>> optional_integers(const runtime::Args& args, size_t i) {
  return args.has(i) ? std::optional(args.integers(i)) : std::nullopt;
}

inline std::optional<at::Tensor> optional_tensor(const runtime::Map& options, const char* key) {
  const auto* value = runtime::find(options, key);
  return value ? std::optional(runtime::to_tensor(*value, key)) : std::nullopt;
}

// { dtype, device }
inline at::TensorOptions tensor_options(const runtime::Map& options) {
  return at::TensorOptions()
      .dtype(runtime::parse_dtype(runtime::get_string(options, "dtype")))
      .device(at::Device(runtime::get_string(options, "device")));
}

inline runtime::Value list_of(std::vector<at::Tensor> tensors) {
  runtime::List list;
  for (auto& tensor : tensors) list.emplace_back(std::move(tensor));
  return list;
}

}  // namespace musicldm::bindings
