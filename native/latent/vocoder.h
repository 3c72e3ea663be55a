// HiFi-GAN generator: log-mel spectrogram to waveform, transformers' SpeechT5HifiGan under its
// published parameter names. Kong et al., "HiFi-GAN", arXiv 2010.05646.
#pragma once

#include <memory>
#include <vector>

#include "latent/vocoder_packed.h"
#include "nn/block.h"
#include "nn/layers.h"
#include "nn/list.h"

namespace musicldm::latent {

// Field names and meaning are those of transformers' config.json.
struct VocoderConfig {
  int64_t model_in_dim = 0;
  int64_t upsample_initial_channel = 0;
  std::vector<int64_t> upsample_rates;
  std::vector<int64_t> upsample_kernel_sizes;
  std::vector<int64_t> resblock_kernel_sizes;
  std::vector<std::vector<int64_t>> resblock_dilation_sizes;
  double leaky_relu_slope = 0;
  double initializer_range = 0;
  bool normalize_before = false;
};

struct ResidualStackOptions {
  int64_t channels = 0;
  int64_t kernel = 0;
  std::vector<int64_t> dilations;
  double slope = 0;
};

class ResidualStack : public nn::Block {
 public:
  explicit ResidualStack(const ResidualStackOptions& options);
  at::Tensor forward(const at::Tensor& x) const;  // [B, C, N]
  StackLayers layers() const;

 private:
  double slope_;
  std::shared_ptr<nn::List<nn::Conv1d>> convs1_;
  std::shared_ptr<nn::List<nn::Conv1d>> convs2_;
};

class Vocoder : public nn::Block {
 public:
  // E_CONFIG when the configuration describes no network.
  explicit Vocoder(const VocoderConfig& config);

  // log-mel [B, T, M] or [T, M] -> waveform [B, N] or [N] in ±1. N is T times the product of the
  // upsampling rates, plus what odd differences of kernel and rate add; in circular time it is
  // exactly that product. E_SHAPE.
  at::Tensor forward(const at::Tensor& log_mel) const;

 private:
  void add_stage(size_t stage, int64_t in_channels);
  at::Tensor upsample(size_t stage, at::Tensor x) const;
  VocoderLayers layers() const;
  at::Tensor forward_packed(const at::Tensor& mel) const;

  VocoderConfig config_;
  std::shared_ptr<nn::Conv1d> conv_pre_;
  std::shared_ptr<nn::List<nn::ConvTranspose1d>> upsampler_;
  std::shared_ptr<nn::List<ResidualStack>> resblocks_;
  std::shared_ptr<nn::Conv1d> conv_post_;
  at::Tensor mean_;                                // [M]
  at::Tensor scale_;                               // [M]
  mutable std::unique_ptr<PackedVocoder> packed_;  // made when first used
};

}  // namespace musicldm::latent
