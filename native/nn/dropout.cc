#include "nn/dropout.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/empty.h>

#include <vector>

namespace musicldm::nn {

at::Tensor Dropout::drop(const at::Tensor& x, at::IntArrayRef shape) {
  if (!active()) return x;
  if (!generator_.defined()) {
    const uint64_t seed = c10::detail::getNonDeterministicRandom();
    generator_ = at::make_generator<at::CPUGeneratorImpl>(seed);
  }
  const double kept = 1 - probability_;
  const at::Tensor mask = at::empty(shape, at::kBool).bernoulli_(kept, generator_);
  return x.mul(mask.to(x.device())).mul_(kept > 0 ? 1 / kept : 0.0);
}

at::Tensor DropPath::forward(const at::Tensor& x) {
  std::vector<int64_t> shape(x.dim(), 1);
  shape[0] = x.size(0);
  return drop(x, shape);
}

void seed_dropout(torch::nn::Module& root, uint64_t seed) {
  const auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  root.apply([&](torch::nn::Module& module) {
    if (auto* dropout = dynamic_cast<Dropout*>(&module)) dropout->set_generator(generator);
  });
}

}  // namespace musicldm::nn
