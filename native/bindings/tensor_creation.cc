// Ops that make tensors, move them, and copy them out.
#include <ATen/Functions.h>

#include "bindings/tensor_arguments.h"
#include "runtime/error.h"

namespace musicldm::bindings {
namespace {

using runtime::Args;
using runtime::Value;

Value from(const Args& args) {
  const at::Tensor data = args.tensor(0);
  return data.reshape(args.integers(1)).to(tensor_options(args.map(2)));
}

Value full(const Args& args) {
  return at::full(args.integers(0), args.number(1), tensor_options(args.map(2)));
}

Value arange(const Args& args) {
  return at::arange(scalar(args.number(0)), scalar(args.number(1)), scalar(args.number(2)),
                    tensor_options(args.map(3)));
}

Value linspace(const Args& args) {
  return at::linspace(args.number(0), args.number(1), args.integer(2), tensor_options(args.map(3)));
}

Value eye(const Args& args) {
  return at::eye(args.integer(0), args.integer(1), tensor_options(args.map(2)));
}

Value to(const Args& args) {
  const at::Tensor x = args.tensor(0);
  const at::TensorOptions options = tensor_options(args.map(1));
  return x.to(options.device(), c10::typeMetaToScalarType(options.dtype()));
}

// Half precision has no typed array, so it is widened.
at::ScalarType outer_dtype(at::ScalarType dtype) {
  return dtype == at::kHalf || dtype == at::kBFloat16 ? at::kFloat : dtype;
}

// Always a copy: JavaScript may write into the array that it gets.
Value copy_out(const at::Tensor& x, at::ScalarType dtype) {
  const at::Tensor source = x.detach();
  at::Tensor copy = at::empty(source.sizes(), at::TensorOptions().dtype(dtype));
  copy.copy_(source);
  return runtime::TypedArray{copy};
}

Value data(const Args& args) {
  const at::Tensor x = args.tensor(0);
  return copy_out(x, outer_dtype(x.scalar_type()));
}

Value floats(const Args& args) { return copy_out(args.tensor(0), at::kFloat); }

Value item(const Args& args) { return args.tensor(0).item().toDouble(); }

Value clone(const Args& args) { return args.tensor(0).clone(at::MemoryFormat::Contiguous); }

Value contiguous(const Args& args) { return args.tensor(0).contiguous(); }

const bool registered = [] {
  runtime::add_op("tensor.from", from);
  runtime::add_op("tensor.full", full);
  runtime::add_op("tensor.arange", arange);
  runtime::add_op("tensor.linspace", linspace);
  runtime::add_op("tensor.eye", eye);
  runtime::add_op("tensor.to", to);
  runtime::add_op("tensor.data", data);
  runtime::add_op("tensor.floats", floats);
  runtime::add_op("tensor.item", item);
  runtime::add_op("tensor.clone", clone);
  runtime::add_op("tensor.contiguous", contiguous);
  return true;
}();

}  // namespace
}  // namespace musicldm::bindings
