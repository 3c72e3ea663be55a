#include "latent/autoencoder_blocks.h"

#include "runtime/cancel.h"

namespace musicldm::latent {

namespace {

nn::ResnetOptions resnet_options(int64_t in_channels, int64_t out_channels, int64_t groups) {
  return {
      .in_channels = in_channels, .out_channels = out_channels, .groups = groups, .eps = kNormEps};
}

void fill(nn::List<nn::ResnetBlock>& resnets, const LevelOptions& options) {
  for (int64_t i = 0; i < options.resnets; ++i) {
    const int64_t in_channels = i == 0 ? options.in_channels : options.out_channels;
    resnets.emplace(resnet_options(in_channels, options.out_channels, options.norm_groups));
  }
}

at::Tensor run(const nn::List<nn::ResnetBlock>& resnets, at::Tensor x) {
  for (const auto& resnet : resnets) {
    runtime::throw_if_cancelled();
    x = resnet->forward(x);
  }
  return x;
}

}  // namespace

nn::Conv2dOptions same_conv(int64_t in_channels, int64_t out_channels) {
  return {.in_channels = in_channels,
          .out_channels = out_channels,
          .kernel = 3,
          .padding = nn::Padding2d::same(1)};
}

Attention::Attention(int64_t channels, int64_t norm_groups) {
  group_norm_ = child<nn::GroupNorm>("group_norm", norm_groups, channels, kNormEps);
  const auto query = child<nn::Linear>("to_q", channels, channels);
  const auto key = child<nn::Linear>("to_k", channels, channels);
  const auto value = child<nn::Linear>("to_v", channels, channels);
  mixing_ = std::make_unique<nn::SelfAttention>(query, key, value, 1);
  to_out_ = child<nn::List<nn::Linear>>("to_out");
  to_out_->emplace(channels, channels);
}

at::Tensor Attention::forward(const at::Tensor& x) const {
  const auto to_tokens = [](const at::Tensor& map) { return map.flatten(2).transpose(1, 2); };
  const at::Tensor tokens = to_tokens(group_norm_->forward(x)).contiguous();  // [B, T·F, C]
  const at::Tensor mixed = (*to_out_)[0].forward(mixing_->forward(tokens), to_tokens(x));
  return mixed.transpose(1, 2).unflatten(2, {x.size(2), x.size(3)});  // [B, C, T, F]
}

MidBlock::MidBlock(int64_t channels, int64_t norm_groups, bool with_attention) {
  const auto options = resnet_options(channels, channels, norm_groups);
  resnets_ = child<nn::List<nn::ResnetBlock>>("resnets");
  resnets_->emplace(options);
  attentions_ = child<nn::List<Attention>>("attentions");
  if (with_attention) attentions_->emplace(channels, norm_groups);
  resnets_->emplace(options);
}

at::Tensor MidBlock::forward(at::Tensor x) const {
  runtime::throw_if_cancelled();
  x = (*resnets_)[0].forward(x);
  for (const auto& attention : *attentions_) {
    runtime::throw_if_cancelled();
    x = attention->forward(x);
  }
  runtime::throw_if_cancelled();
  return (*resnets_)[1].forward(x);
}

Downsample::Downsample(int64_t channels) {
  // Asymmetric: one row after the end of time and one column above the highest frequency.
  conv_ = child<nn::Conv2d>("conv", nn::Conv2dOptions{
                                        .in_channels = channels,
                                        .out_channels = channels,
                                        .kernel = 3,
                                        .stride = 2,
                                        .padding = {.bottom = 1, .right = 1},
                                    });
}

at::Tensor Downsample::forward(const at::Tensor& x) const { return conv_->forward(x); }

Upsample::Upsample(int64_t channels) {
  conv_ = child<nn::Conv2d>("conv", same_conv(channels, channels));
}

at::Tensor Upsample::forward(const at::Tensor& x) const {
  return conv_->forward(x, {.size = {2 * x.size(2), 2 * x.size(3)}});
}

DownBlock::DownBlock(const LevelOptions& options) {
  resnets_ = child<nn::List<nn::ResnetBlock>>("resnets");
  fill(*resnets_, options);
  downsamplers_ = child<nn::List<Downsample>>("downsamplers");
  if (options.resample) downsamplers_->emplace(options.out_channels);
}

at::Tensor DownBlock::forward(at::Tensor x) const {
  x = run(*resnets_, std::move(x));  // [B, out, T, F]
  for (const auto& downsampler : *downsamplers_) x = downsampler->forward(x);
  return x;
}

UpBlock::UpBlock(const LevelOptions& options) {
  resnets_ = child<nn::List<nn::ResnetBlock>>("resnets");
  fill(*resnets_, options);
  upsamplers_ = child<nn::List<Upsample>>("upsamplers");
  if (options.resample) upsamplers_->emplace(options.out_channels);
}

at::Tensor UpBlock::forward(at::Tensor x) const {
  x = run(*resnets_, std::move(x));  // [B, out, T, F]
  runtime::throw_if_cancelled();
  for (const auto& upsampler : *upsamplers_) x = upsampler->forward(x);
  return x;
}

}  // namespace musicldm::latent
