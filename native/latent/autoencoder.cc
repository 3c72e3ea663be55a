#include "latent/autoencoder.h"

#include <ATen/ops/cat.h>

#include <algorithm>
#include <string>

#include "runtime/cancel.h"
#include "runtime/error.h"
#include "runtime/value.h"

namespace musicldm::latent {

namespace {

constexpr double kLowestLogVariance = -30;
constexpr double kHighestLogVariance = 20;

nn::Conv2dOptions pointwise_conv(int64_t channels) {
  return {.in_channels = channels, .out_channels = channels};
}

LevelOptions level_options(const std::vector<int64_t>& widths, size_t level, int64_t resnets,
                           int64_t norm_groups) {
  return {.in_channels = widths[level == 0 ? 0 : level - 1],
          .out_channels = widths[level],
          .resnets = resnets,
          .norm_groups = norm_groups,
          .resample = level + 1 < widths.size()};
}

// oneDNN convolves channels-last activations faster than plain ones; CUDA keeps its default.
at::Tensor in_fast_layout(const at::Tensor& x) {
  return x.is_cpu() ? x.contiguous(at::MemoryFormat::ChannelsLast) : x;
}

void check_config(const AutoencoderConfig& config) {
  const auto& widths = config.block_out_channels;
  const auto indivisible = [&](int64_t width) {
    return width < 1 || width % config.norm_num_groups != 0;
  };
  if (config.norm_num_groups > 0 && !widths.empty() && config.layers_per_block > 0 &&
      std::none_of(widths.begin(), widths.end(), indivisible)) {
    return;
  }
  throw runtime::expected("E_CONFIG",
                          "widths that are multiples of norm_num_groups, with layers_per_block > 0",
                          "block_out_channels", runtime::shape_text(widths));
}

void check_image(const at::Tensor& x, const std::string& name, int64_t channels, int64_t least) {
  if (x.dim() == 4 && x.size(0) > 0 && x.size(1) == channels && x.size(2) >= least &&
      x.size(3) >= least) {
    return;
  }
  const std::string at_least = " >= " + std::to_string(least);
  throw runtime::expected(
      "E_SHAPE",
      "[batch, " + std::to_string(channels) + ", frames" + at_least + ", bins" + at_least + "]",
      name, runtime::shape_text(x.sizes()));
}

}  // namespace

int64_t AutoencoderConfig::downscale() const {
  return int64_t{1} << (block_out_channels.size() - 1);
}

Encoder::Encoder(const AutoencoderConfig& config) {
  const auto& widths = config.block_out_channels;
  const int64_t groups = config.norm_num_groups;
  conv_in_ = child<nn::Conv2d>("conv_in", same_conv(config.in_channels, widths.front()));
  down_blocks_ = child<nn::List<DownBlock>>("down_blocks");
  for (size_t level = 0; level < widths.size(); ++level) {
    down_blocks_->emplace(level_options(widths, level, config.layers_per_block, groups));
  }
  mid_block_ = child<MidBlock>("mid_block", widths.back(), groups, config.mid_block_add_attention);
  conv_norm_out_ = child<nn::GroupNorm>("conv_norm_out", groups, widths.back(), kNormEps);
  conv_out_ = child<nn::Conv2d>("conv_out", same_conv(widths.back(), 2 * config.latent_channels));
}

at::Tensor Encoder::forward(const at::Tensor& mel) const {
  at::Tensor x = in_fast_layout(conv_in_->forward(mel));                     // [B, widths[0], T, F]
  for (const auto& block : *down_blocks_) x = block->forward(std::move(x));  // halves T and F
  x = mid_block_->forward(std::move(x));  // [B, widths[-1], T/s, F/s]
  // [B, 2L, T/s, F/s]
  return conv_out_->forward(x, {.norm = conv_norm_out_.get(), .silu = true});
}

Decoder::Decoder(const AutoencoderConfig& config) {
  const std::vector<int64_t> widths(config.block_out_channels.rbegin(),
                                    config.block_out_channels.rend());
  const int64_t groups = config.norm_num_groups;
  conv_in_ = child<nn::Conv2d>("conv_in", same_conv(config.latent_channels, widths.front()));
  mid_block_ = child<MidBlock>("mid_block", widths.front(), groups, config.mid_block_add_attention);
  up_blocks_ = child<nn::List<UpBlock>>("up_blocks");
  for (size_t level = 0; level < widths.size(); ++level) {
    up_blocks_->emplace(level_options(widths, level, config.layers_per_block + 1, groups));
  }
  conv_norm_out_ = child<nn::GroupNorm>("conv_norm_out", groups, widths.back(), kNormEps);
  conv_out_ = child<nn::Conv2d>("conv_out", same_conv(widths.back(), config.out_channels));
}

at::Tensor Decoder::forward(const at::Tensor& latents) const {
  at::Tensor x = in_fast_layout(conv_in_->forward(latents));  // [B, widths[-1], T', F']
  x = mid_block_->forward(std::move(x));
  for (const auto& block : *up_blocks_) x = block->forward(std::move(x));  // doubles T and F
  runtime::throw_if_cancelled();
  x = conv_out_->forward(x, {.norm = conv_norm_out_.get(), .silu = true});
  return x.contiguous();  // [B, C, T's, F's]
}

AutoencoderKL::AutoencoderKL(const AutoencoderConfig& config) : config_(config) {
  check_config(config);
  encoder_ = child<Encoder>("encoder", config);
  decoder_ = child<Decoder>("decoder", config);
  const int64_t latents = config.latent_channels;
  if (config.use_quant_conv) {
    quant_conv_ = child<nn::Conv2d>("quant_conv", pointwise_conv(2 * latents));
  }
  if (config.use_post_quant_conv) {
    post_quant_conv_ = child<nn::Conv2d>("post_quant_conv", pointwise_conv(latents));
  }
}

at::Tensor AutoencoderKL::encode(const at::Tensor& mel) const {
  check_image(mel, "mel", config_.in_channels, config_.downscale());
  if (nn::CircularTime::enabled() && mel.size(2) % config_.downscale() != 0) {
    throw runtime::expected("E_SHAPE",
                            "a multiple of " + std::to_string(config_.downscale()) + " frames",
                            "a circular mel", runtime::shape_text(mel.sizes()));
  }
  at::Tensor moments = encoder_->forward(mel.to(encoder_->dtype()));
  if (quant_conv_) moments = quant_conv_->forward(moments);
  const Posterior raw = split_moments(moments.contiguous());
  return at::cat({raw.mean, raw.logvar.clamp(kLowestLogVariance, kHighestLogVariance)}, 1);
}

at::Tensor AutoencoderKL::decode(const at::Tensor& latents) const {
  check_image(latents, "latents", config_.latent_channels, 1);
  const at::Tensor z = latents.to(decoder_->dtype());
  return decoder_->forward(post_quant_conv_ ? post_quant_conv_->forward(z) : z);
}

Posterior split_moments(const at::Tensor& moments) {
  if (moments.dim() != 4 || moments.size(1) % 2 != 0) {
    throw runtime::expected("E_SHAPE", "[batch, 2 * channels, frames, bins]", "moments",
                            runtime::shape_text(moments.sizes()));
  }
  const auto halves = moments.chunk(2, 1);
  return {halves[0], halves[1]};
}

at::Tensor sample_posterior(const at::Tensor& moments, const at::Tensor& noise) {
  const Posterior posterior = split_moments(moments);
  if (noise.sizes() != posterior.mean.sizes()) {
    throw runtime::expected("E_SHAPE", runtime::shape_text(posterior.mean.sizes()), "noise",
                            runtime::shape_text(noise.sizes()));
  }
  return posterior.mean + (0.5 * posterior.logvar).exp() * noise;
}

}  // namespace musicldm::latent
