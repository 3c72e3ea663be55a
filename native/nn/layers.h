// The layers that every model is built from. They differ from libtorch's own in three ways: their
// parameters start uninitialised on the meta device (a checkpoint or `initialise` fills them), the
// time axis can be made circular, and inference may pack their weights.
#pragma once

#include <torch/nn/module.h>

#include <array>
#include <memory>
#include <vector>

#include "nn/fusion.h"

namespace musicldm::kernels {
struct GroupNormTask;
}

namespace musicldm::nn {

class PackedLinear;
struct PackedConv2d;
struct Conv1dWeights;

// While alive on this thread, convolutions treat time (the last axis of Conv1d, H of Conv2d) as a
// circle, so that the end of a clip joins its start.
class CircularTime {
 public:
  explicit CircularTime(bool enabled);
  ~CircularTime();
  CircularTime(const CircularTime&) = delete;
  CircularTime& operator=(const CircularTime&) = delete;
  static bool enabled();

 private:
  bool previous_;
};

// How a parameter is initialised when no checkpoint fills it; a layer sets PyTorch's default.
struct Init {
  enum class Kind { kUniform, kNormal, kConstant };
  Kind kind = Kind::kConstant;
  double value = 0;  // bound of kUniform, standard deviation of kNormal, the constant itself
};

// Every parameter-owning layer: knows how each of its parameters starts.
class Layer : public torch::nn::Module {
 public:
  // Draws every own parameter (weight, then bias) from the generator.
  virtual void initialise(const at::Generator& generator);
  // Frees packed copies of the weights; they come back when they are used again.
  virtual void drop_packed() {}
  Init weight_init;
  Init bias_init;
  at::Tensor weight;
  at::Tensor bias;  // undefined where the layer has none

 protected:
  // Registers weight and bias as uninitialised float32 parameters on the meta device.
  void declare(at::IntArrayRef weight_shape, at::IntArrayRef bias_shape);
};

class Linear : public Layer {
 public:
  Linear(int64_t in_features, int64_t out_features, bool with_bias = true);
  // [..., in] -> [..., out], to which `residual` is added where there is one.
  at::Tensor forward(const at::Tensor& x, const at::Tensor& residual = {}) const;
  // Exact GELU of the outputs.
  at::Tensor forward_gelu(const at::Tensor& x) const;
  // The first half of the outputs times exact GELU of the second: [..., in] -> [..., out / 2].
  at::Tensor forward_gated(const at::Tensor& x) const;
  void drop_packed() override;
  // For those who run this layer together with others; the kept weights are dropped with it.
  PackedLinear& packed() const;

 private:
  mutable std::shared_ptr<PackedLinear> packed_;
};

class Embedding : public Layer {
 public:
  Embedding(int64_t count, int64_t width, int64_t padding_index = -1);
  at::Tensor forward(const at::Tensor& indices) const;       // [...] i64 -> [..., width]
  void initialise(const at::Generator& generator) override;  // the padding row becomes zero

 private:
  int64_t padding_index_;
};

class LayerNorm : public Layer {
 public:
  LayerNorm(int64_t width, double eps);
  at::Tensor forward(const at::Tensor& x) const;  // over the last axis

 private:
  double eps_;
};

class GroupNorm : public Layer {
 public:
  GroupNorm(int64_t groups, int64_t channels, double eps);
  at::Tensor forward(const at::Tensor& x) const;  // [B, C, ...]
  kernels::GroupNormTask task() const;

 private:
  int64_t groups_;
  double eps_;
};

// Over all axes but the second, of [N, C] or [B, C, ...]. In training the batch's own moments
// count, and the running ones follow them.
class BatchNorm : public Layer {
 public:
  explicit BatchNorm(int64_t channels, double eps = 1e-5, double momentum = 0.1);
  at::Tensor forward(const at::Tensor& x);
  void initialise(const at::Generator& generator) override;

  at::Tensor running_mean;
  at::Tensor running_var;
  at::Tensor num_batches_tracked;  // [] i64

 private:
  double eps_;
  double momentum_;
};

// Zero padding of a Conv2d, by side. Time is H.
struct Padding2d {
  int64_t top = 0, bottom = 0, left = 0, right = 0;
  static Padding2d same(int64_t amount) { return {amount, amount, amount, amount}; }
};

struct Conv2dOptions {
  int64_t in_channels = 0;
  int64_t out_channels = 0;
  int64_t kernel = 1;
  int64_t stride = 1;
  Padding2d padding = {};
  bool with_bias = true;
};

class Conv2d : public Layer {
 public:
  explicit Conv2d(const Conv2dOptions& options);
  // [B, C, T, F] -> [B, C', T', F']
  at::Tensor forward(const at::Tensor& x, const Fusion& fusion = {}) const;
  const Conv2dOptions& options() const { return options_; }
  void drop_packed() override { packed_.reset(); }

 private:
  at::Tensor convolve(const at::Tensor& x) const;

  Conv2dOptions options_;
  mutable std::shared_ptr<PackedConv2d> packed_;
};

struct Conv1dOptions {
  int64_t in_channels = 0;
  int64_t out_channels = 0;
  int64_t kernel = 1;
  int64_t stride = 1;
  int64_t padding = 0;
  int64_t dilation = 1;
};

class Conv1d : public Layer {
 public:
  explicit Conv1d(const Conv1dOptions& options);
  at::Tensor forward(const at::Tensor& x) const;  // [B, C, T] -> [B, C', T']
  const Conv1dOptions& options() const { return options_; }
  void drop_packed() override { packed.reset(); }
  // What PackedConv1d keeps of this layer.
  mutable std::shared_ptr<Conv1dWeights> packed;

 private:
  Conv1dOptions options_;
};

// weight [C_in, C_out, kernel]. Circular time: T frames give exactly T * stride samples.
class ConvTranspose1d : public Layer {
 public:
  explicit ConvTranspose1d(const Conv1dOptions& options);
  at::Tensor forward(const at::Tensor& x) const;  // [B, C, T] -> [B, C', T']
  const Conv1dOptions& options() const { return options_; }
  void drop_packed() override { packed.reset(); }
  // What PackedConv1d keeps of this layer.
  mutable std::shared_ptr<Conv1dWeights> packed;

 private:
  Conv1dOptions options_;
};

// Fills every layer of a module tree by its Init, with one generator seeded by `seed`, in the order
// of registration.
void initialise(torch::nn::Module& root, uint64_t seed);

// Frees the packed weights of every layer of a module tree.
void drop_packed(torch::nn::Module& root);

}  // namespace musicldm::nn
