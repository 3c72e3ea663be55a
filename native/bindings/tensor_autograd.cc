// The entry to automatic differentiation.
#include <ATen/Functions.h>

#include "bindings/tensor_arguments.h"
#include "runtime/error.h"

namespace musicldm::bindings {
namespace {

using runtime::Args;
using runtime::Value;

Value set_requires_grad(const Args& args) {
  const at::Tensor x = args.tensor(0);
  if (!x.is_leaf()) {
    throw runtime::expected("E_ARGUMENT", "a leaf of the graph", "requiresGrad",
                            "the result of an op; detach it first");
  }
  x.set_requires_grad(args.boolean(1));
  return Value();
}

Value is_requiring_grad(const Args& args) { return args.tensor(0).requires_grad(); }

Value backward(const Args& args) {
  const at::Tensor x = args.tensor(0);
  if (!x.requires_grad()) {
    throw runtime::expected("E_ARGUMENT", "a result of something that requires grad", "backward",
                            "a tensor without a graph");
  }
  const at::Tensor gradient = args.has(1) ? args.tensor(1) : at::Tensor();
  x.backward(gradient);
  return Value();
}

Value grad(const Args& args) {
  const at::Tensor gradient = args.tensor(0).grad();
  return gradient.defined() ? Value(gradient.detach()) : Value();
}

Value zero_grad(const Args& args) {
  args.tensor(0).mutable_grad() = at::Tensor();
  return Value();
}

Value detach(const Args& args) { return args.tensor(0).detach(); }

const bool registered = [] {
  runtime::add_op("tensor.set_requires_grad", set_requires_grad);
  runtime::add_op("tensor.is_requiring_grad", is_requiring_grad);
  runtime::add_op("tensor.backward", backward);
  runtime::add_op("tensor.grad", grad);
  runtime::add_op("tensor.zero_grad", zero_grad);
  runtime::add_op("tensor.detach", detach);
  return true;
}();

}  // namespace
}  // namespace musicldm::bindings
