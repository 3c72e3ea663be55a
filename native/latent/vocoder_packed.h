// The vocoder on packed weights, for inference.
#pragma once

#include <memory>
#include <vector>

#include "nn/conv1d_packed.h"

namespace musicldm::latent {

// The layers of a residual stack.
struct StackLayers {
  std::vector<const nn::Conv1d*> first;  // dilated
  std::vector<const nn::Conv1d*> second;
};

// The layers of a vocoder, which have to outlive the packed one.
struct VocoderLayers {
  const nn::Conv1d* before = nullptr;
  std::vector<const nn::ConvTranspose1d*> upsamplers;
  std::vector<StackLayers> stacks;  // as many for each upsampler
  const nn::Conv1d* after = nullptr;
  double slope = 0;
  double last_slope = 0;
};

class PackedVocoder {
 public:
  explicit PackedVocoder(const VocoderLayers& layers);

  // mel [T, M], normalised -> waveform [N]. Long clips are made in stretches, so that memory does
  // not grow with them.
  at::Tensor forward(const at::Tensor& mel, bool circular);

 private:
  // A convolution and the dilated one before it.
  struct Pair {
    nn::PackedConv1d first;
    nn::PackedConv1d second;
  };
  struct Stage {
    nn::PackedConv1d upsampler;
    std::vector<std::vector<Pair>> stacks;
  };
  // Samples in memory of their own.
  struct Signal {
    at::Tensor memory;
    nn::Samples samples;
  };
  int64_t sample_count(int64_t frames) const;
  at::Tensor run(const at::Tensor& mel);
  at::Tensor run_stretches(const at::Tensor& padded, int64_t frames, int64_t margin);
  Signal run_stage(Stage& stage, const Signal& x);
  void run_stack(std::vector<Pair>& stack, const nn::Samples& x, const nn::PackedOutput& sum);

  double slope_;
  double last_slope_;
  int64_t hop_ = 1;
  int64_t reach_ = 0;  // frames around a frame that its samples depend on
  nn::PackedConv1d before_;
  std::vector<Stage> stages_;
  nn::PackedConv1d after_;
};

}  // namespace musicldm::latent
