// Seeded random numbers. Everything is drawn on the CPU in float32 (or int64) and then converted,
// so that a seed means the same on every device and in every dtype.
#include <ATen/Functions.h>

#include "bindings/tensor_arguments.h"
#include "tensor/generator.h"

namespace musicldm::bindings {
namespace {

using runtime::Args;
using runtime::Value;
using tensor::Generator;

Value generator(const Args& args) {
  return runtime::ObjectPtr(new Generator(static_cast<uint64_t>(args.integer(0))));
}

// shape, generator, { dtype, device }
Value rand(const Args& args) {
  return at::rand(args.integers(0), args.object<Generator>(1)->generator())
      .to(tensor_options(args.map(2)));
}

Value randn(const Args& args) {
  return at::randn(args.integers(0), args.object<Generator>(1)->generator())
      .to(tensor_options(args.map(2)));
}

// shape, generator, { dtype, device }, low, high
Value randint(const Args& args) {
  return at::randint(args.integer(3), args.integer(4), args.integers(0),
                     args.object<Generator>(1)->generator(), at::TensorOptions().dtype(at::kLong))
      .to(tensor_options(args.map(2)));
}

// generators, shape of one item, { dtype, device }
Value normal(const Args& args) {
  std::vector<tensor::GeneratorPtr> generators;
  for (const auto& item : args.list(0)) {
    generators.push_back(Args("random.normal", {item}).object<Generator>(0));
  }
  return tensor::normal_rows(generators, args.integers(1)).to(tensor_options(args.map(2)));
}

const bool registered = [] {
  runtime::add_op("random.generator", generator);
  runtime::add_op("random.rand", rand);
  runtime::add_op("random.randn", randn);
  runtime::add_op("random.randint", randint);
  runtime::add_op("random.normal", normal);
  return true;
}();

}  // namespace
}  // namespace musicldm::bindings
