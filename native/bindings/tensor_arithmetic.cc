// Element-wise arithmetic and comparison, and products of matrices.
#include <ATen/Functions.h>

#include "bindings/tensor_arguments.h"

namespace musicldm::bindings {
namespace {

using at::Tensor;
using runtime::Args;
using runtime::Value;

void add_unary(const std::string& name, Tensor (*function)(const Tensor&)) {
  runtime::add_op("tensor." + name,
                  [function](const Args& args) -> Value { return function(args.tensor(0)); });
}

void add_binary(const std::string& name, Tensor (*function)(const Tensor&, const Tensor&)) {
  runtime::add_op("tensor." + name, [function](const Args& args) -> Value {
    return function(args.tensor(0), operand(args, 1));
  });
}

Tensor add(const Tensor& a, const Tensor& b) { return at::add(a, b); }
Tensor subtract(const Tensor& a, const Tensor& b) { return at::sub(a, b); }

// A number as exponent is kept a number: squares and roots have kernels of their own.
Value power(const Args& args) {
  const auto* number = std::get_if<double>(&args.at(1).data);
  return number ? at::pow(args.tensor(0), scalar(*number))
                : at::pow(args.tensor(0), args.tensor(1));
}

std::optional<at::Scalar> optional_scalar(const Args& args, size_t i) {
  return args.has(i) ? std::optional(scalar(args.number(i))) : std::nullopt;
}

Value clamp(const Args& args) {
  return at::clamp(args.tensor(0), optional_scalar(args, 1), optional_scalar(args, 2));
}

Value where(const Args& args) {
  return at::where(args.tensor(0), operand(args, 1), operand(args, 2));
}

Value einsum(const Args& args) { return at::einsum(args.string(0), args.tensors(1)); }

// x, y, relative tolerance, absolute tolerance
Value all_close(const Args& args) {
  return at::allclose(args.tensor(0), args.tensor(1), args.number(2), args.number(3));
}

void add_unary_ops() {
  add_unary("neg", at::neg);
  add_unary("abs", at::abs);
  add_unary("exp", at::exp);
  add_unary("log", at::log);
  add_unary("sqrt", at::sqrt);
  add_unary("rsqrt", at::rsqrt);
  add_unary("sin", at::sin);
  add_unary("cos", at::cos);
  add_unary("tanh", at::tanh);
  add_unary("sigmoid", at::sigmoid);
  add_unary("floor", at::floor);
  add_unary("round", at::round);
  add_unary("is_finite", at::isfinite);
  add_unary("logical_not", at::logical_not);
}

void add_binary_ops() {
  add_binary("add", add);
  add_binary("sub", subtract);
  add_binary("mul", at::mul);
  add_binary("div", at::div);
  add_binary("minimum", at::minimum);
  add_binary("maximum", at::maximum);
  add_binary("eq", at::eq);
  add_binary("ne", at::ne);
  add_binary("lt", at::lt);
  add_binary("le", at::le);
  add_binary("gt", at::gt);
  add_binary("ge", at::ge);
  add_binary("logical_and", at::logical_and);
  add_binary("logical_or", at::logical_or);
  add_binary("matmul", at::matmul);
}

const bool registered = [] {
  add_unary_ops();
  add_binary_ops();
  runtime::add_op("tensor.pow", power);
  runtime::add_op("tensor.clamp", clamp);
  runtime::add_op("tensor.where", where);
  runtime::add_op("tensor.einsum", einsum);
  runtime::add_op("tensor.all_close", all_close);
  return true;
}();

}  // namespace
}  // namespace musicldm::bindings
