#include "tensor/generator.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Functions.h>

namespace musicldm::tensor {

Generator::Generator(uint64_t seed) : generator_(at::make_generator<at::CPUGeneratorImpl>(seed)) {}

int64_t Generator::bytes() const { return sizeof(at::CPUGeneratorImpl); }

at::Tensor normal_rows(const std::vector<GeneratorPtr>& generators, at::IntArrayRef item_shape) {
  std::vector<int64_t> shape = {static_cast<int64_t>(generators.size())};
  shape.insert(shape.end(), item_shape.begin(), item_shape.end());
  at::Tensor noise = at::empty(shape, at::kFloat);
  for (size_t i = 0; i < generators.size(); ++i) {
    noise.select(0, static_cast<int64_t>(i)).normal_(0, 1, generators[i]->generator());
  }
  return noise;
}

}  // namespace musicldm::tensor
