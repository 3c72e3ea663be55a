// What a UNet is built from: the fields of diffusers' UNet2DConditionModel that are implemented.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace musicldm::diffusion {

struct UNetConfig {
  int64_t in_channels = 0;
  int64_t out_channels = 0;
  // One entry per level, from full resolution down.
  std::vector<int64_t> block_out_channels;
  std::vector<int64_t> layers_per_block;
  std::vector<int64_t> transformer_layers_per_block;
  std::vector<int64_t> attention_heads;
  std::vector<int64_t> cross_attention_dim;  // 0: the level has no second attention
  std::vector<bool> down_attention;          // CrossAttnDownBlock2D
  std::vector<bool> up_attention;            // CrossAttnUpBlock2D, in the order of the up path
  int64_t norm_num_groups = 32;
  double norm_eps = 1e-5;
  int64_t class_labels_width = 0;  // projection_class_embeddings_input_dim
  bool class_embeddings_concat = true;
  bool flip_sin_to_cos = true;
  double freq_shift = 0;
  int64_t downsample_padding = 1;
  bool use_linear_projection = false;

  size_t levels() const { return block_out_channels.size(); }
  // Width of the time embedding, and of the vector that conditions the residual blocks.
  int64_t time_width() const { return 4 * block_out_channels.front(); }
  int64_t embedding_width() const { return time_width() * (class_embeddings_concat ? 2 : 1); }
};

}  // namespace musicldm::diffusion
