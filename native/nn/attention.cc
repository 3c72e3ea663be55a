#include "nn/attention.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/scaled_dot_product_attention.h>

#include "kernels/cpu/attention.h"
#include "nn/packed_linear.h"

namespace musicldm::nn {

namespace {

at::Tensor split_heads(const at::Tensor& x, int64_t heads) {
  return x.unflatten(2, {heads, -1}).transpose(1, 2);  // [B, heads, N, W / heads]
}

bool are_packed(const Linear& query, const Linear& key, const Linear& value,
                const at::Tensor& tokens) {
  return runs_packed(
      {tokens, query.weight, key.weight, value.weight, query.bias, key.bias, value.bias});
}

at::Tensor run_kernel(const at::Tensor& projections, int64_t heads) {
  const int64_t width = projections.size(2) / 3;
  at::Tensor out =
      at::empty({projections.size(0), projections.size(1), width}, projections.options());
  const float* const queries = projections.const_data_ptr<float>();
  kernels::run_attention(kernels::kernels(), {.queries = queries,
                                              .keys = queries + width,
                                              .values = queries + 2 * width,
                                              .stride = projections.size(2),
                                              .batch = projections.size(0),
                                              .tokens = projections.size(1),
                                              .heads = heads,
                                              .width = width / heads,
                                              .out = out.mutable_data_ptr<float>()});
  return out;
}

// [B, heads, N, W / heads] each -> [B, N, W]
at::Tensor mix(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
               const AttentionOptions& options) {
  const auto mask = options.mask.defined() ? std::optional(options.mask) : std::nullopt;
  const at::Tensor mixed =
      at::scaled_dot_product_attention(query, key, value, mask, 0.0, options.causal);
  return mixed.transpose(1, 2).flatten(2);
}

}  // namespace

at::Tensor attend(const at::Tensor& projections, int64_t heads, const AttentionOptions& options) {
  if (!options.causal && !options.mask.defined() && runs_packed({projections})) {
    return run_kernel(projections, heads);
  }
  const auto parts = projections.chunk(3, 2);
  return mix(split_heads(parts[0], heads), split_heads(parts[1], heads),
             split_heads(parts[2], heads), options);
}

at::Tensor project_together(const Linear& query, const Linear& key, const Linear& value,
                            const at::Tensor& tokens) {
  if (!are_packed(query, key, value, tokens)) {
    return at::cat({query.forward(tokens), key.forward(tokens), value.forward(tokens)}, -1);
  }
  at::Tensor bias;
  if (query.bias.defined()) bias = at::cat({query.bias, key.bias, value.bias});
  return query.packed().forward(tokens, {query.weight, key.weight, value.weight}, bias);
}

at::Tensor SelfAttention::forward(const at::Tensor& tokens, const at::Tensor& mask) const {
  if (are_packed(*query_, *key_, *value_, tokens)) {
    return attend(project_together(*query_, *key_, *value_, tokens), heads_, {.mask = mask});
  }
  return mix(split_heads(query_->forward(tokens), heads_),
             split_heads(key_->forward(tokens), heads_),
             split_heads(value_->forward(tokens), heads_), {.mask = mask});
}

}  // namespace musicldm::nn
