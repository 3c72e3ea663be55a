#include "nn/attention.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/scaled_dot_product_attention.h>

#include "kernels/cpu/attention.h"
#include "nn/packed_linear.h"

namespace musicldm::nn {

at::Tensor SelfAttention::forward(const at::Tensor& tokens) const {
  if (runs_packed({tokens, query_->weight, key_->weight, value_->weight, query_->bias, key_->bias,
                   value_->bias})) {
    return forward_packed(tokens);
  }
  const int64_t batch = tokens.size(0);
  const int64_t count = tokens.size(1);
  const auto split = [&](const at::Tensor& x) {
    return x.view({batch, count, heads_, -1}).transpose(1, 2);  // [B, heads, N, W / heads]
  };
  const auto mixed = at::scaled_dot_product_attention(
      split(query_->forward(tokens)), split(key_->forward(tokens)), split(value_->forward(tokens)));
  return mixed.transpose(1, 2).reshape({batch, count, -1});
}

at::Tensor SelfAttention::forward_packed(const at::Tensor& tokens) const {
  at::Tensor bias;
  if (query_->bias.defined()) bias = at::cat({query_->bias, key_->bias, value_->bias});
  const at::Tensor all = query_->packed().forward(
      tokens, {query_->weight, key_->weight, value_->weight}, bias);  // [B, N, 3W]
  const int64_t width = all.size(2) / 3;
  at::Tensor out = at::empty({tokens.size(0), tokens.size(1), width}, tokens.options());
  const float* const queries = all.const_data_ptr<float>();
  kernels::run_attention(kernels::kernels(), {.queries = queries,
                                              .keys = queries + width,
                                              .values = queries + 2 * width,
                                              .stride = all.size(2),
                                              .batch = tokens.size(0),
                                              .tokens = tokens.size(1),
                                              .heads = heads_,
                                              .width = width / heads_,
                                              .out = out.mutable_data_ptr<float>()});
  return out;
}

}  // namespace musicldm::nn
