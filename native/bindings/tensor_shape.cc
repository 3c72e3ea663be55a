// Ops that change shape or select elements.
#include <ATen/Functions.h>
#include <ATen/TensorIndexing.h>

#include "bindings/tensor_arguments.h"

namespace musicldm::bindings {
namespace {

using runtime::Args;
using runtime::Value;

Value reshape(const Args& args) { return args.tensor(0).reshape(args.integers(1)); }

Value permute(const Args& args) { return args.tensor(0).permute(args.integers(1)); }

Value transpose(const Args& args) {
  return args.tensor(0).transpose(args.integer(1), args.integer(2));
}

Value squeeze(const Args& args) {
  return args.has(1) ? args.tensor(0).squeeze(args.integer(1)) : args.tensor(0).squeeze();
}

Value unsqueeze(const Args& args) { return args.tensor(0).unsqueeze(args.integer(1)); }

Value expand(const Args& args) { return args.tensor(0).expand(args.integers(1)); }

Value repeat(const Args& args) { return args.tensor(0).repeat(args.integers(1)); }

Value flip(const Args& args) { return args.tensor(0).flip(args.integers(1)); }

Value roll(const Args& args) { return args.tensor(0).roll(args.integers(1), args.integers(2)); }

Value pad(const Args& args) {
  const std::string& mode = args.string(2);
  const auto value = mode == "constant" ? std::optional(args.number(3)) : std::nullopt;
  return at::pad(args.tensor(0), args.integers(1), mode, value);
}

Value cat(const Args& args) { return at::cat(args.tensors(0), args.integer(1)); }

Value stack(const Args& args) { return at::stack(args.tensors(0), args.integer(1)); }

// x, dim, start, end, step
Value slice(const Args& args) {
  return args.tensor(0).slice(args.integer(1), args.integer(2), optional_integer(args, 3),
                              args.integer(4));
}

Value select(const Args& args) { return args.tensor(0).select(args.integer(1), args.integer(2)); }

// Null keeps a whole axis.
Value index(const Args& args) {
  c10::List<std::optional<at::Tensor>> indices;
  for (const auto& item : args.list(1)) {
    indices.push_back(item.is_null() ? std::nullopt
                                     : std::optional(runtime::to_tensor(item, "index")));
  }
  return at::index(args.tensor(0), indices);
}

Value index_select(const Args& args) {
  return args.tensor(0).index_select(args.integer(1), args.tensor(2));
}

Value gather(const Args& args) { return args.tensor(0).gather(args.integer(1), args.tensor(2)); }

Value split(const Args& args) {
  return list_of(at::split_with_sizes(args.tensor(0), args.integers(1), args.integer(2)));
}

const bool registered = [] {
  runtime::add_op("tensor.reshape", reshape);
  runtime::add_op("tensor.permute", permute);
  runtime::add_op("tensor.transpose", transpose);
  runtime::add_op("tensor.squeeze", squeeze);
  runtime::add_op("tensor.unsqueeze", unsqueeze);
  runtime::add_op("tensor.expand", expand);
  runtime::add_op("tensor.repeat", repeat);
  runtime::add_op("tensor.flip", flip);
  runtime::add_op("tensor.roll", roll);
  runtime::add_op("tensor.pad", pad);
  runtime::add_op("tensor.cat", cat);
  runtime::add_op("tensor.stack", stack);
  runtime::add_op("tensor.slice", slice);
  runtime::add_op("tensor.select", select);
  runtime::add_op("tensor.index", index);
  runtime::add_op("tensor.index_select", index_select);
  runtime::add_op("tensor.gather", gather);
  runtime::add_op("tensor.split", split);
  return true;
}();

}  // namespace
}  // namespace musicldm::bindings
