// A seeded source of random numbers that belongs to one seed; libtorch's global generator is never
// used.
#pragma once

#include <ATen/core/Generator.h>

#include "runtime/value.h"

namespace musicldm::tensor {

class Generator : public runtime::Object {
 public:
  // Equals torch.Generator("cpu").manual_seed(seed); as there, only the low 32 bits count.
  explicit Generator(uint64_t seed);
  std::string type() const override { return "Generator"; }
  int64_t bytes() const override;
  const at::Generator& generator() const { return generator_; }

 private:
  at::Generator generator_;
};

using GeneratorPtr = std::shared_ptr<Generator>;

// Draws unit normal noise on the CPU, one row per generator: [N, ...item_shape] f32. Row i equals
// torch.randn([1, ...item_shape], generator=generators[i]) bit for bit.
at::Tensor normal_rows(const std::vector<GeneratorPtr>& generators, at::IntArrayRef item_shape);

}  // namespace musicldm::tensor
