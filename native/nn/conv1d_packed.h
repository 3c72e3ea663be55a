// A convolution along time, plain or transposed, on packed weights and channels-last samples.
#pragma once

#include "kernels/cpu/conv1d.h"
#include "nn/layers.h"
#include "nn/packed_weights.h"

namespace musicldm::nn {

// Samples of one item, channels last.
struct Samples {
  const float* data = nullptr;  // [count, channels]
  int64_t count = 0;
};

struct PackedOutput {
  float* data = nullptr;            // as many floats as `output_floats` says
  const float* residual = nullptr;  // added; like data, may be the same
  bool accumulate = false;          // adds to what data holds
};

struct Conv1dWeights {
  PackStamp stamp;
  kernels::PackedConv1d packed;
};

// Packs when it first runs, and again when the weights, the processor's kernels or the packing
// policy have changed. The packed weights are kept by the layer, which has to outlive this.
class PackedConv1d {
 public:
  // The layer's weights are multiplied by `scale`, its bias is not. Stride 1.
  explicit PackedConv1d(const Conv1d& layer, double scale = 1);
  // Dilation 1.
  explicit PackedConv1d(const ConvTranspose1d& layer, double scale = 1);

  // Samples that `count` inputs give.
  int64_t output_count(int64_t count) const;
  int64_t output_floats(int64_t count) const;

  // Runs the input through leaky ReLU and the layer; slope 1 is no activation. Returns where in
  // `output` the first sample is.
  float* forward(const Samples& input, double slope, const PackedOutput& output);

 private:
  kernels::Conv1dMethod method_for(int64_t count) const;
  at::Tensor plain_weight() const;
  kernels::PackedConv1d pack(const kernels::Conv1dMethod& method) const;

  const Layer& layer_;
  Conv1dOptions options_;
  bool transposed_;
  double scale_;
  kernels::Conv1dShape shape_;
  std::shared_ptr<Conv1dWeights>& kept_;  // in the layer
};

// Whether a module runs on packed weights now: the policy allows it, its parameters and x are
// float32 on the CPU, and no gradient is wanted.
bool runs_packed(const torch::nn::Module& module, const at::Tensor& x);

}  // namespace musicldm::nn
