#include "diffusion/unet_stages.h"

#include "runtime/cancel.h"

namespace musicldm::diffusion {

void ResnetStage::add_layer(const UNetConfig& config, size_t level, int64_t in_channels,
                            bool attention) {
  if (attention) add_attention(config, level);
  if (!resnets_) resnets_ = child<nn::List<nn::ResnetBlock>>("resnets");
  resnets_->emplace(nn::ResnetOptions{in_channels, config.block_out_channels[level],
                                      config.embedding_width(), config.norm_num_groups,
                                      config.norm_eps});
}

void ResnetStage::add_attention(const UNetConfig& config, size_t level) {
  if (!attentions_) attentions_ = child<nn::List<Transformer2d>>("attentions");
  attentions_->emplace(TransformerOptions{
      .channels = config.block_out_channels[level],
      .heads = config.attention_heads[level],
      .layers = config.transformer_layers_per_block[level],
      .groups = config.norm_num_groups,
      .second_attention = config.cross_attention_dim[level] != 0,
      .linear_projection = config.use_linear_projection,
  });
}

at::Tensor ResnetStage::run_layer(size_t i, const at::Tensor& x, const at::Tensor& activated,
                                  const at::Tensor& skip) const {
  runtime::throw_if_cancelled();
  const at::Tensor hidden = (*resnets_)[i].forward(x, activated, skip);
  return attentions_ ? (*attentions_)[i].forward(hidden) : hidden;
}

DownStage::DownStage(const UNetConfig& config, size_t level) {
  const int64_t channels = config.block_out_channels[level];
  int64_t in_channels = config.block_out_channels[level == 0 ? 0 : level - 1];
  for (int64_t i = 0; i < config.layers_per_block[level]; ++i) {
    add_layer(config, level, in_channels, config.down_attention[level]);
    in_channels = channels;
  }
  if (level + 1 < config.levels()) {
    downsamplers_ = child<nn::List<Downsample>>("downsamplers");
    downsamplers_->emplace(channels, config.downsample_padding);
  }
}

at::Tensor DownStage::forward(at::Tensor x, const at::Tensor& activated, Skips& skips) const {
  for (size_t i = 0; i < resnets_->size() && !skips.complete(); ++i) {
    x = run_layer(i, x, activated);
    skips.push(x);
  }
  if (!downsamplers_ || skips.complete()) return x;
  x = (*downsamplers_)[0].forward(x);
  skips.push(x);
  return x;
}

MidStage::MidStage(const UNetConfig& config) {
  const size_t level = config.levels() - 1;
  const int64_t channels = config.block_out_channels[level];
  add_layer(config, level, channels, true);
  add_layer(config, level, channels, false);
}

at::Tensor MidStage::forward(const at::Tensor& x, const at::Tensor& activated) const {
  const at::Tensor hidden = run_layer(0, x, activated);
  return (*resnets_)[1].forward(hidden, activated);
}

UpStage::UpStage(const UNetConfig& config, size_t position) {
  const size_t last = config.levels() - 1;
  const size_t level = last - position;
  const int64_t channels = config.block_out_channels[level];
  const int64_t layers = config.layers_per_block[level] + 1;
  int64_t in_channels = config.block_out_channels[level == last ? last : level + 1];
  for (int64_t i = 0; i < layers; ++i) {
    // The last skip of a level is what came into it on the way down.
    const bool is_last = i + 1 == layers;
    const int64_t skip = config.block_out_channels[is_last && level > 0 ? level - 1 : level];
    add_layer(config, level, in_channels + skip, config.up_attention[position]);
    in_channels = channels;
  }
  if (level > 0) {
    upsamplers_ = child<nn::List<Upsample>>("upsamplers");
    upsamplers_->emplace(channels);
  }
}

at::Tensor UpStage::forward(at::Tensor x, const at::Tensor& activated, Skips& skips) const {
  for (size_t i = 0; i < resnets_->size(); ++i) {
    const at::Tensor skip = skips.pop(x);
    if (skip.defined()) x = run_layer(i, x, activated, skip);
  }
  if (!upsamplers_ || !x.defined()) return x;
  return (*upsamplers_)[0].forward(x, skips.next_size());
}

}  // namespace musicldm::diffusion
