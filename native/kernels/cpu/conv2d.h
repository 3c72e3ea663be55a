// A 2-D convolution whose weights are packed once, for the algorithm that suits a shape.
#pragma once

#include <map>

#include "kernels/cpu/products.h"

namespace musicldm::kernels {

enum class ConvAlgorithm { kDirect, kWinograd4x4, kWinograd4x2, kWinograd2x2 };

struct ConvShape {
  int64_t batch = 0;
  int64_t height = 0;  // of the output
  int64_t width = 0;
  int64_t in_channels = 0;
  int64_t out_channels = 0;
  Kernel kernel = {};
};

// The cheapest by a model of multiplications, transforms and weights read from memory. `compact`
// allows only weights that are not larger than the plain ones.
ConvAlgorithm choose_algorithm(const KernelTable& kernels, const ConvShape& shape, bool compact);

class PackedConv2d {
 public:
  // weight [out, in, height, width], contiguous; it has to live until all algorithms are packed.
  PackedConv2d(const KernelTable& kernels, const float* weight, const ConvShape& shape)
      : kernels_(kernels), weight_(weight), shape_(shape) {}

  // Packs the weights for an algorithm; whether it was needed.
  bool prepare(ConvAlgorithm algorithm);
  // Only after `prepare`.
  void run(const Map& input, const ConvOutput& output, ConvAlgorithm algorithm) const;
  const KernelTable& kernels() const { return kernels_; }

 private:
  Buffer pack(ConvAlgorithm algorithm) const;

  const KernelTable& kernels_;
  const float* weight_;
  ConvShape shape_;
  std::map<ConvAlgorithm, Buffer> packed_;
};

}  // namespace musicldm::kernels
