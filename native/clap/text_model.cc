#include "clap/text_model.h"

#include <cmath>
#include <limits>

#include "nn/attention.h"

namespace musicldm::clap {

namespace {

// What scaled_dot_product_attention weighs the values with: [B, heads, N, N] of the query's dtype,
// computed in float32, 0 where the mask is false.
at::Tensor attention_probabilities(const at::Tensor& query, const at::Tensor& key,
                                   const at::Tensor& mask) {
  const double scale = 1 / std::sqrt(static_cast<double>(query.size(-1)));
  at::Tensor scores = (query * scale).matmul(key.transpose(-2, -1)).to(at::kFloat);
  if (!mask.defined()) return scores.softmax(-1).to(query.scalar_type());
  const at::Tensor hidden = mask.logical_not();
  scores = scores.masked_fill(hidden, std::numeric_limits<float>::lowest());
  return scores.softmax(-1).masked_fill(hidden, 0).to(query.scalar_type());
}

}  // namespace

at::Tensor visible_keys(const at::Tensor& mask) {
  if (!mask.defined() || mask.all().item<bool>()) return {};
  return mask.to(at::kBool).unsqueeze(1).unsqueeze(1);
}

at::Tensor TextAttentionLayers::forward(const at::Tensor& x, const at::Tensor& keys) const {
  if (!dropout.active()) return nn::SelfAttention(query, key, value, heads).forward(x, keys);
  const auto split = [&](const at::Tensor& tokens) {
    return tokens.unflatten(2, {heads, -1}).transpose(1, 2);  // [B, heads, N, C / heads]
  };
  const at::Tensor weights =
      attention_probabilities(split(query->forward(x)), split(key->forward(x)), keys);
  const at::Tensor mixed = dropout.forward(weights).matmul(split(value->forward(x)));
  return mixed.transpose(1, 2).flatten(2);
}

void start_normal(torch::nn::Module& root, double linear_std, double embedding_std) {
  using Kind = nn::Init::Kind;
  root.apply([&](torch::nn::Module& module) {
    if (auto* linear = dynamic_cast<nn::Linear*>(&module)) {
      linear->weight_init = {Kind::kNormal, linear_std};
      linear->bias_init = {Kind::kConstant, 0};
    } else if (auto* embedding = dynamic_cast<nn::Embedding*>(&module)) {
      embedding->weight_init = {Kind::kNormal, embedding_std};
    }
  });
}

}  // namespace musicldm::clap
