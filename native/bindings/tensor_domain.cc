// Steps of the sampling loop that are public tensor ops.
#include "bindings/tensor_arguments.h"
#include "diffusion/update.h"
#include "tensor/finite.h"

namespace musicldm::bindings {
namespace {

using runtime::Args;
using runtime::Value;

// tensors, coefficients
Value linear_combination(const Args& args) {
  return diffusion::linear_combination(args.tensors(0), args.numbers(1));
}

Value all_finite(const Args& args) { return tensor::all_finite(args.tensor(0)); }

const bool registered = [] {
  runtime::add_op("tensor.linear_combination", linear_combination);
  runtime::add_op("tensor.all_finite", all_finite);
  return true;
}();

}  // namespace
}  // namespace musicldm::bindings
