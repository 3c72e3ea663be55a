// How a clip that is longer than the network's input is heard whole: a map of the shrunken whole is
// merged with one of its details (laion_clap's feature_fusion, after Dai et al., arXiv 2009.14082).
#pragma once

#include "nn/block.h"
#include "nn/layers.h"

namespace musicldm::clap {

enum class FusionType {
  kNone,
  kChannelMap,  // all mels are channels of the first convolution
  kAdd,         // DAF
  kAttention,   // AFF
  kIterated,    // iAFF
};

// Whether the type merges maps of features, not input channels.
inline bool merges_maps(FusionType type) {
  return type != FusionType::kNone && type != FusionType::kChannelMap;
}

// A bottleneck of two 1x1 convolutions over every position, or over the mean of all.
class ChannelWeights : public nn::Block {
 public:
  ChannelWeights(int64_t channels, int64_t inner, bool over_mean);
  at::Tensor forward(const at::Tensor& x) const;  // [B, C, H, W] -> the same, or [B, C, 1, 1]

 private:
  bool over_mean_;
  std::shared_ptr<nn::Conv2d> squeeze_;
  std::shared_ptr<nn::BatchNorm> squeeze_norm_;
  std::shared_ptr<nn::Conv2d> expand_;
  std::shared_ptr<nn::BatchNorm> expand_norm_;
};

class FeatureFusion : public nn::Block {
 public:
  FeatureFusion(FusionType type, int64_t channels, int64_t reduction);
  at::Tensor forward(const at::Tensor& whole, const at::Tensor& details) const;  // [B, C, H, W]

 private:
  at::Tensor attend(const at::Tensor& whole, const at::Tensor& details) const;

  FusionType type_;
  std::shared_ptr<ChannelWeights> local_att_;
  std::shared_ptr<ChannelWeights> global_att_;
  std::shared_ptr<ChannelWeights> local_att2_;
};

}  // namespace musicldm::clap
