// Dropout with a source of randomness that is not libtorch's global one.
#pragma once

#include <ATen/core/Generator.h>
#include <torch/nn/module.h>

namespace musicldm::nn {

class Dropout : public torch::nn::Module {
 public:
  explicit Dropout(double probability) : probability_(probability) {}

  // Whether forward changes its input: in training, unless the probability is 0.
  bool active() const { return is_training() && probability_ > 0; }

  // While active, zeroes each element with the probability and scales the others so that the mean
  // stays; otherwise x itself.
  at::Tensor forward(const at::Tensor& x) { return drop(x, x.sizes()); }

  // Without it, the first mask is drawn from a non-deterministic seed.
  void set_generator(const at::Generator& generator) { generator_ = generator; }

 protected:
  // With one decision for each element of `shape`, which broadcasts to that of x.
  at::Tensor drop(const at::Tensor& x, at::IntArrayRef shape);

 private:
  double probability_;
  at::Generator generator_;  // on the CPU, so that a seed means the same on every device
};

// Stochastic depth: drops whole items, as the last step of a residual branch.
class DropPath : public Dropout {
 public:
  using Dropout::Dropout;
  at::Tensor forward(const at::Tensor& x);  // [B, ...]
};

// Makes all dropout of a module tree draw from one new generator, in the order of computation.
void seed_dropout(torch::nn::Module& root, uint64_t seed);

}  // namespace musicldm::nn
