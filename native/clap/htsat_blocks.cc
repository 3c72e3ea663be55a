#include "clap/htsat_blocks.h"

#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include "nn/attention.h"
#include "nn/packed_linear.h"
#include "nn/slots.h"

namespace musicldm::clap {

namespace {

constexpr double kEps = 1e-5;  // of the norms that the configuration does not speak of

at::Tensor channels_first(const at::Tensor& map) { return map.permute({0, 3, 1, 2}); }
at::Tensor channels_last(const at::Tensor& map) { return map.permute({0, 2, 3, 1}); }

}  // namespace

PatchConv::PatchConv(int64_t in_channels, int64_t out_channels, std::array<int64_t, 2> size) {
  declare({out_channels, in_channels, size[0], size[1]}, out_channels);
}

at::Tensor PatchConv::forward(const at::Tensor& image) const {
  const int64_t height = weight.size(2);
  const int64_t width = weight.size(3);
  const int64_t rows = image.size(2) / height;
  const int64_t columns = image.size(3) / width;
  const at::Tensor patches = image.narrow(2, 0, rows * height)
                                 .narrow(3, 0, columns * width)
                                 .unflatten(3, {columns, width})
                                 .unflatten(2, {rows, height})
                                 .permute({0, 2, 4, 1, 3, 5})  // [B, H', W', C, height, width]
                                 .flatten(3);
  const at::Tensor kernel = weight.flatten(1);
  if (!nn::runs_packed({patches, kernel, bias})) return at::linear(patches, kernel, bias);
  if (!packed_) packed_ = std::make_shared<nn::PackedLinear>();
  return packed_->forward(patches, {kernel}, bias);
}

PatchEmbed::PatchEmbed(const HtsatConfig& c) : merges_(merges_maps(c.fusion)) {
  const int64_t width = c.patch_embeds_hidden_size;
  const auto [rows, columns] = c.patch_size;
  proj_ = child<PatchConv>("proj", merges_ ? 1 : c.channels(), width, c.patch_size);
  norm_ = child<nn::LayerNorm>("norm", width, kEps);
  if (!merges_) return;
  fusion_model_ = child<FeatureFusion>("fusion_model", c.fusion, width, c.aff_block_r);
  mel_conv2d_ = child<PatchConv>("mel_conv2d", 1, width, std::array{rows, 3 * columns});
}

at::Tensor PatchEmbed::forward(const at::Tensor& image, const std::vector<int64_t>& longer) const {
  at::Tensor tokens = proj_->forward(merges_ ? image.narrow(1, 0, 1) : image);  // [B, H, W, C]
  if (merges_ && !longer.empty()) tokens = merge(tokens, image, longer);
  return norm_->forward(tokens);
}

at::Tensor PatchEmbed::merge(const at::Tensor& tokens, const at::Tensor& image,
                             const std::vector<int64_t>& longer) const {
  const at::Tensor rows = at::tensor(longer, at::kLong).to(image.device());
  const at::Tensor whole = tokens.index_select(0, rows);
  const at::Tensor parts = details(image.index_select(0, rows).narrow(1, 1, 3), whole.size(2));
  const at::Tensor merged = fusion_model_->forward(channels_first(whole), channels_first(parts));
  return tokens.index_copy(0, rows, channels_last(merged));
}

// Front, middle and back side by side, a third as wide each: [R, 3, S, S] -> [R, H, columns, C].
at::Tensor PatchEmbed::details(const at::Tensor& image, int64_t columns) const {
  const at::Tensor parts = mel_conv2d_->forward(image.flatten(0, 1).unsqueeze(1));
  const at::Tensor row = parts.unflatten(0, {-1, 3}).transpose(1, 2).flatten(2, 3);
  return at::constant_pad_nd(row, {0, 0, 0, columns - row.size(2)});
}

WindowSelfAttention::WindowSelfAttention(const HtsatConfig& c, const SwinOptions& o)
    : windows_(o.windows), position_index_(relative_position_index(o.windows.size)) {
  const int64_t side = 2 * o.windows.size - 1;
  const auto meta = at::TensorOptions(at::kMeta).dtype(at::kFloat);
  relative_position_bias_table_ = register_parameter(
      "relative_position_bias_table", at::empty({side * side, o.heads}, meta), false);
  const auto linear = [&](const char* name) {
    return register_module(name, std::make_shared<nn::Linear>(o.width, o.width));
  };
  query_ = linear("query");
  key_ = linear("key");
  value_ = linear("value");
  dropout_ =
      register_module("dropout", std::make_shared<nn::Dropout>(c.attention_probs_dropout_prob));
}

void WindowSelfAttention::initialise(const at::Generator&) {
  at::Tensor& table = relative_position_bias_table_;
  const auto device = table.is_meta() ? at::Device(at::kCPU) : table.device();
  nn::fill_slot(table, at::zeros(table.sizes(), table.options().device(device)));
}

at::Tensor WindowSelfAttention::forward(const at::Tensor& x) const {
  const at::Tensor& table = relative_position_bias_table_;
  const int64_t tokens = windows_.size * windows_.size;
  const at::Tensor bias = table.index_select(0, position_index_.to(table.device()))
                              .view({tokens, tokens, -1})
                              .permute({2, 0, 1});  // [heads, N, N]
  const at::Tensor qkv = nn::project_together(*query_, *key_, *value_, x);
  return window_attention(qkv, bias, windows_, dropout_.get());
}

SwinResidual::SwinResidual(int64_t in_width, int64_t width, double dropout, double drop_path)
    : dense_(child<nn::Linear>("dense", in_width, width)),
      dropout_(child<nn::Dropout>("dropout", dropout)),
      drop_path_(child<nn::DropPath>("drop_path", drop_path)) {}

at::Tensor SwinResidual::forward(const at::Tensor& x, const at::Tensor& start) const {
  if (!dropout_->active() && !drop_path_->active()) return dense_->forward(x, start);
  return drop_path_->forward(dropout_->forward(dense_->forward(x))) + start;
}

SwinAttention::SwinAttention(const HtsatConfig& c, const SwinOptions& o)
    : self_(child<WindowSelfAttention>("self", c, o)),
      output_(child<SwinResidual>("output", o.width, o.width, c.attention_probs_dropout_prob,
                                  o.drop_path)) {}

at::Tensor SwinAttention::forward(const at::Tensor& x, const at::Tensor& start) const {
  return output_->forward(self_->forward(x), start);
}

SwinBlock::SwinBlock(const HtsatConfig& c, const SwinOptions& o) {
  const auto inner = static_cast<int64_t>(c.mlp_ratio * static_cast<double>(o.width));
  layernorm_before_ = child<nn::LayerNorm>("layernorm_before", o.width, c.layer_norm_eps);
  attention_ = child<SwinAttention>("attention", c, o);
  layernorm_after_ = child<nn::LayerNorm>("layernorm_after", o.width, c.layer_norm_eps);
  intermediate_ = child<SwinIntermediate>("intermediate", o.width, inner);
  output_ = child<SwinResidual>("output", inner, o.width, c.hidden_dropout_prob, o.drop_path);
}

at::Tensor SwinBlock::forward(const at::Tensor& x) const {
  const at::Tensor attended = attention_->forward(layernorm_before_->forward(x), x);
  return output_->forward(intermediate_->forward(layernorm_after_->forward(attended)), attended);
}

PatchMerging::PatchMerging(int64_t width)
    : reduction_(child<nn::Linear>("reduction", 4 * width, 2 * width, false)),
      norm_(child<nn::LayerNorm>("norm", 4 * width, kEps)) {}

at::Tensor PatchMerging::forward(const at::Tensor& x) const {
  const at::Tensor quads = x.unflatten(2, {-1, 2})
                               .unflatten(1, {-1, 2})        // [B, H / 2, 2, W / 2, 2, C]
                               .permute({0, 1, 3, 4, 2, 5})  // columns before rows
                               .flatten(3);
  return reduction_->forward(norm_->forward(quads));
}

}  // namespace musicldm::clap
