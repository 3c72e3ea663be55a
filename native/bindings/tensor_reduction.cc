// Reductions. Null dimensions mean all of them.
#include <ATen/Functions.h>

#include "bindings/tensor_arguments.h"

namespace musicldm::bindings {
namespace {

using at::OptionalIntArrayRef;
using at::Tensor;
using runtime::Args;
using runtime::Value;

using Reduction = Tensor (*)(const Tensor&, OptionalIntArrayRef, bool);

// x, dims, keep_dim
void add_reduction(const std::string& name, Reduction function) {
  runtime::add_op("tensor." + name, [function](const Args& args) -> Value {
    const auto dims = optional_integers(args, 1);
    const auto where = dims ? OptionalIntArrayRef(*dims) : OptionalIntArrayRef(std::nullopt);
    return function(args.tensor(0), where, args.boolean(2));
  });
}

Tensor sum(const Tensor& x, OptionalIntArrayRef dims, bool keep) { return at::sum(x, dims, keep); }

Tensor mean(const Tensor& x, OptionalIntArrayRef dims, bool keep) {
  return at::mean(x, dims, keep);
}

Tensor all(const Tensor& x, OptionalIntArrayRef dims, bool keep) { return at::all(x, dims, keep); }

Tensor any(const Tensor& x, OptionalIntArrayRef dims, bool keep) { return at::any(x, dims, keep); }

at::IntArrayRef listed(const OptionalIntArrayRef& dims) {
  return dims.has_value() ? *dims : at::IntArrayRef();
}

Tensor min(const Tensor& x, OptionalIntArrayRef dims, bool keep) {
  return at::amin(x, listed(dims), keep);
}

Tensor max(const Tensor& x, OptionalIntArrayRef dims, bool keep) {
  return at::amax(x, listed(dims), keep);
}

// x, dims, keep_dim, correction
Value variance(const Args& args) {
  const auto dims = optional_integers(args, 1);
  return at::var(args.tensor(0), OptionalIntArrayRef(dims), at::Scalar(args.integer(3)),
                 args.boolean(2));
}

Value deviation(const Args& args) {
  const auto dims = optional_integers(args, 1);
  return at::std(args.tensor(0), OptionalIntArrayRef(dims), at::Scalar(args.integer(3)),
                 args.boolean(2));
}

// x, dims, keep_dim, order
Value norm(const Args& args) {
  const auto dims = optional_integers(args, 1);
  return at::linalg_vector_norm(args.tensor(0), args.number(3), OptionalIntArrayRef(dims),
                                args.boolean(2));
}

Value argmax(const Args& args) {
  return at::argmax(args.tensor(0), optional_integer(args, 1), args.boolean(2));
}

Value argmin(const Args& args) {
  return at::argmin(args.tensor(0), optional_integer(args, 1), args.boolean(2));
}

Value cumsum(const Args& args) { return at::cumsum(args.tensor(0), args.integer(1)); }

// x, k, dim, largest -> [values, indices]
Value topk(const Args& args) {
  auto [values, indices] =
      at::topk(args.tensor(0), args.integer(1), args.integer(2), args.boolean(3));
  return list_of({values, indices});
}

// x, dim, descending -> [values, indices]
Value sort(const Args& args) {
  auto [values, indices] =
      at::sort(args.tensor(0), /*stable=*/true, args.integer(1), args.boolean(2));
  return list_of({values, indices});
}

const bool registered = [] {
  add_reduction("sum", sum);
  add_reduction("mean", mean);
  add_reduction("all", all);
  add_reduction("any", any);
  add_reduction("min", min);
  add_reduction("max", max);
  runtime::add_op("tensor.var", variance);
  runtime::add_op("tensor.std", deviation);
  runtime::add_op("tensor.norm", norm);
  runtime::add_op("tensor.argmax", argmax);
  runtime::add_op("tensor.argmin", argmin);
  runtime::add_op("tensor.cumsum", cumsum);
  runtime::add_op("tensor.topk", topk);
  runtime::add_op("tensor.sort", sort);
  return true;
}();

}  // namespace
}  // namespace musicldm::bindings
