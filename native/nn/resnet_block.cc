#include "nn/resnet_block.h"

namespace musicldm::nn {

ResnetBlock::ResnetBlock(const ResnetOptions& o) {
  const auto conv3x3 = [](int64_t in, int64_t out) {
    return Conv2dOptions{in, out, 3, 1, Padding2d::same(1)};
  };
  norm1_ = child<GroupNorm>("norm1", o.groups, o.in_channels, o.eps);
  conv1_ = child<Conv2d>("conv1", conv3x3(o.in_channels, o.out_channels));
  if (o.embedding_channels > 0) {
    time_emb_proj_ = child<Linear>("time_emb_proj", o.embedding_channels, o.out_channels);
  }
  norm2_ = child<GroupNorm>("norm2", o.groups, o.out_channels, o.eps);
  conv2_ = child<Conv2d>("conv2", conv3x3(o.out_channels, o.out_channels));
  if (o.in_channels != o.out_channels) {
    conv_shortcut_ = child<Conv2d>("conv_shortcut", Conv2dOptions{o.in_channels, o.out_channels});
  }
}

at::Tensor ResnetBlock::forward(const at::Tensor& x, const at::Tensor& activated,
                                const at::Tensor& skip) const {
  const at::Tensor shift = time_emb_proj_ ? time_emb_proj_->forward(activated) : at::Tensor();
  const at::Tensor hidden = conv1_->forward(
      x, {.skip = skip, .norm = norm1_.get(), .silu = true, .shift = shift});  // [B, C', T, F]
  const at::Tensor shortcut = conv_shortcut_ ? conv_shortcut_->forward(x, {.skip = skip}) : x;
  return conv2_->forward(hidden, {.norm = norm2_.get(), .silu = true, .residual = shortcut});
}

}  // namespace musicldm::nn
