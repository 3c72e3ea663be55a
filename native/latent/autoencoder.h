// The variational autoencoder of log-mel spectrograms: diffusers' AutoencoderKL under its published
// parameter names. Rombach et al., "High-Resolution Image Synthesis with Latent Diffusion Models".
#pragma once

#include <memory>
#include <vector>

#include "latent/autoencoder_blocks.h"
#include "nn/block.h"
#include "nn/layers.h"
#include "nn/list.h"

namespace musicldm::latent {

// Field names and meaning are those of diffusers' config.json.
struct AutoencoderConfig {
  int64_t in_channels = 0;
  int64_t out_channels = 0;
  int64_t latent_channels = 0;
  std::vector<int64_t> block_out_channels;
  int64_t layers_per_block = 0;
  int64_t norm_num_groups = 0;
  bool mid_block_add_attention = false;
  bool use_quant_conv = false;
  bool use_post_quant_conv = false;

  // Mel frames (and bins) per latent frame (and bin).
  int64_t downscale() const;
};

class Encoder : public nn::Block {
 public:
  explicit Encoder(const AutoencoderConfig& config);
  at::ScalarType dtype() const { return conv_in_->weight.scalar_type(); }
  at::Tensor forward(const at::Tensor& mel) const;  // [B, C, T, F] -> [B, 2L, T/s, F/s]

 private:
  std::shared_ptr<nn::Conv2d> conv_in_;
  std::shared_ptr<nn::List<DownBlock>> down_blocks_;
  std::shared_ptr<MidBlock> mid_block_;
  std::shared_ptr<nn::GroupNorm> conv_norm_out_;
  std::shared_ptr<nn::Conv2d> conv_out_;
};

class Decoder : public nn::Block {
 public:
  explicit Decoder(const AutoencoderConfig& config);
  at::ScalarType dtype() const { return conv_in_->weight.scalar_type(); }
  at::Tensor forward(const at::Tensor& latents) const;  // [B, L, T', F'] -> [B, C, T's, F's]

 private:
  std::shared_ptr<nn::Conv2d> conv_in_;
  std::shared_ptr<MidBlock> mid_block_;
  std::shared_ptr<nn::List<UpBlock>> up_blocks_;
  std::shared_ptr<nn::GroupNorm> conv_norm_out_;
  std::shared_ptr<nn::Conv2d> conv_out_;
};

class AutoencoderKL : public nn::Block {
 public:
  // E_CONFIG when the configuration describes no network.
  explicit AutoencoderKL(const AutoencoderConfig& config);

  // [B, C, T, F] -> [B, 2L, T/s, F/s]: mean, then log-variance clamped to [-30, 20]. E_SHAPE.
  at::Tensor encode(const at::Tensor& mel) const;

  // [B, L, T', F'] -> [B, C, T's, F's]. E_SHAPE.
  at::Tensor decode(const at::Tensor& latents) const;

 private:
  AutoencoderConfig config_;
  std::shared_ptr<Encoder> encoder_;
  std::shared_ptr<Decoder> decoder_;
  std::shared_ptr<nn::Conv2d> quant_conv_;       // null unless the config uses it
  std::shared_ptr<nn::Conv2d> post_quant_conv_;  // likewise
};

// A diagonal Gaussian over latents. Both [B, L, T', F'].
struct Posterior {
  at::Tensor mean;
  at::Tensor logvar;
};

// The halves of [B, 2L, T', F'] as views. E_SHAPE.
Posterior split_moments(const at::Tensor& moments);

// mean + exp(logvar / 2) · noise. [B, 2L, T', F'], [B, L, T', F'] -> [B, L, T', F']. E_SHAPE.
at::Tensor sample_posterior(const at::Tensor& moments, const at::Tensor& noise);

}  // namespace musicldm::latent
