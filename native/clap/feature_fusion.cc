#include "clap/feature_fusion.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/sigmoid.h>

#include <string>

namespace musicldm::clap {

ChannelWeights::ChannelWeights(int64_t channels, int64_t inner, bool over_mean)
    : over_mean_(over_mean) {
  // The published names number a sequence that starts with the mean and has an activation inside.
  int index = over_mean ? 1 : 0;
  const auto name = [&] { return std::to_string(index++); };
  squeeze_ = child<nn::Conv2d>(name(), nn::Conv2dOptions{channels, inner});
  squeeze_norm_ = child<nn::BatchNorm>(name(), inner);
  ++index;
  expand_ = child<nn::Conv2d>(name(), nn::Conv2dOptions{inner, channels});
  expand_norm_ = child<nn::BatchNorm>(name(), channels);
}

at::Tensor ChannelWeights::forward(const at::Tensor& x) const {
  const at::Tensor input = over_mean_ ? x.mean({2, 3}, true) : x;
  const at::Tensor inner = at::relu(squeeze_norm_->forward(squeeze_->forward(input)));
  return expand_norm_->forward(expand_->forward(inner));
}

FeatureFusion::FeatureFusion(FusionType type, int64_t channels, int64_t reduction) : type_(type) {
  if (type == FusionType::kAdd) return;
  const int64_t inner = channels / reduction;
  local_att_ = child<ChannelWeights>("local_att", channels, inner, false);
  global_att_ = child<ChannelWeights>("global_att", channels, inner, true);
  if (type != FusionType::kIterated) return;
  local_att2_ = child<ChannelWeights>("local_att2", channels, inner, false);
  // Published with weights, although the original never uses it.
  child<ChannelWeights>("global_att2", channels, inner, true);
}

at::Tensor FeatureFusion::forward(const at::Tensor& whole, const at::Tensor& details) const {
  if (type_ == FusionType::kAdd) return whole + details;
  // A batch of one has no moments over the mean; a copy beside it leaves them defined.
  if (!is_training() || whole.size(0) > 1) return attend(whole, details);
  return attend(at::cat({whole, whole}), at::cat({details, details})).narrow(0, 0, 1);
}

at::Tensor FeatureFusion::attend(const at::Tensor& x, const at::Tensor& r) const {
  const at::Tensor sum = x + r;
  const at::Tensor w = at::sigmoid(local_att_->forward(sum) + global_att_->forward(sum));
  if (type_ == FusionType::kAttention) return 2 * x * w + 2 * r * (1 - w);
  const at::Tensor mixed = x * w + r * (1 - w);
  // The original uses its first global branch again.
  const at::Tensor w2 = at::sigmoid(local_att2_->forward(mixed) + global_att_->forward(mixed));
  return x * w2 + r * (1 - w2);
}

}  // namespace musicldm::clap
