#include "nn/packed_linear.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>

#include "kernels/cpu/products.h"

namespace musicldm::nn {

namespace {

// [..., from] -> [..., width]
at::Tensor empty_like(const at::Tensor& x, int64_t width) {
  std::vector<int64_t> sizes = x.sizes().vec();
  sizes.back() = width;
  return at::empty(sizes, x.options());
}

kernels::GemmTask product(const at::Tensor& x, const kernels::Buffer& packed, int64_t columns,
                          at::Tensor& out) {
  return {.a = x.const_data_ptr<float>(),
          .a_stride = x.size(-1),
          .depth = x.size(-1),
          .rows = x.numel() / x.size(-1),
          .b = packed.data(),
          .columns = columns,
          .c = out.mutable_data_ptr<float>(),
          .c_stride = out.size(-1)};
}

}  // namespace

void PackedLinear::pack(const std::vector<at::Tensor>& weights, bool gated) {
  const PackStamp stamp(weights);
  if (packed_ && stamp_ == stamp) return;
  const at::Tensor weight = (weights.size() > 1 ? at::cat(weights) : weights[0]).contiguous();
  const kernels::WeightLayout layout{.data = weight.const_data_ptr<float>(),
                                     .out_channels = weight.size(0),
                                     .in_channels = weight.size(1),
                                     .out_stride = weight.size(1),
                                     .in_stride = 1};
  packed_ = (gated ? kernels::pack_gated : kernels::pack_panels)(kernels::kernels(), layout);
  for (const at::Tensor& given : weights) page_out(given);
  stamp_ = stamp;
}

at::Tensor PackedLinear::forward(const at::Tensor& x, const std::vector<at::Tensor>& weights,
                                 const at::Tensor& bias, const at::Tensor& residual) {
  pack(weights, false);
  const at::Tensor rows = x.contiguous();
  int64_t columns = 0;
  for (const at::Tensor& weight : weights) columns += weight.size(0);
  at::Tensor out = empty_like(x, columns);
  const at::Tensor added = residual.defined() ? residual.contiguous() : residual;
  kernels::GemmTask task = product(rows, packed_, columns, out);
  if (bias.defined()) task.epilogue.bias = bias.const_data_ptr<float>();
  if (added.defined()) {
    task.epilogue.residual = added.const_data_ptr<float>();
    task.epilogue.residual_stride = columns;
  }
  kernels::run_product(kernels::kernels(), task);
  return out;
}

at::Tensor PackedLinear::forward_gelu(const at::Tensor& x, const at::Tensor& weight,
                                      const at::Tensor& bias) {
  pack({weight}, false);
  const at::Tensor rows = x.contiguous();
  at::Tensor out = empty_like(x, weight.size(0));
  kernels::GemmTask task = product(rows, packed_, weight.size(0), out);
  if (bias.defined()) task.epilogue.bias = bias.const_data_ptr<float>();
  task.epilogue.activation = kernels::Activation::kGelu;
  kernels::run_product(kernels::kernels(), task);
  return out;
}

bool PackedLinear::can_gate(const at::Tensor& weight) {
  return weight.size(0) % kernels::kernels().panel == 0;
}

at::Tensor PackedLinear::forward_gated(const at::Tensor& x, const at::Tensor& weight,
                                       const at::Tensor& bias) {
  pack({weight}, true);
  const at::Tensor rows = x.contiguous();
  const kernels::KernelTable& table = kernels::kernels();
  // The bias in the order of the packed columns: halves of panels in turn.
  const at::Tensor halves = bias.view({2, -1, table.panel / 2});
  const at::Tensor gated_bias = halves.transpose(0, 1).contiguous();
  at::Tensor out = empty_like(x, weight.size(0) / 2);
  kernels::GemmTask task = product(rows, packed_, weight.size(0), out);
  task.epilogue.bias = gated_bias.const_data_ptr<float>();
  task.epilogue.activation = kernels::Activation::kGatedGelu;
  kernels::run_product(table, task);
  return out;
}

}  // namespace musicldm::nn
