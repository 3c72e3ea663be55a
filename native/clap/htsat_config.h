// What builds an HTSAT. Names are transformers' ClapAudioConfig's.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "clap/feature_fusion.h"

namespace musicldm::clap {

struct HtsatConfig {
  int64_t window_size = 8;
  int64_t num_mel_bins = 64;
  int64_t spec_size = 256;
  std::array<int64_t, 2> patch_size = {4, 4};
  int64_t patch_embed_input_channels = 1;
  int64_t patch_embeds_hidden_size = 96;
  std::vector<int64_t> depths;
  std::vector<int64_t> num_attention_heads;
  double mlp_ratio = 4;
  double layer_norm_eps = 1e-5;
  FusionType fusion = FusionType::kNone;
  int64_t aff_block_r = 4;
  double hidden_dropout_prob = 0;
  double attention_probs_dropout_prob = 0;
  double drop_path_rate = 0;  // of the last block; the first has 0
  int64_t num_hidden_layers = 4;
  double initializer_factor = 1;

  int64_t folds() const { return spec_size / num_mel_bins; }
  int64_t channels() const { return fusion == FusionType::kNone ? patch_embed_input_channels : 4; }
  // Of the last stage.
  int64_t width() const { return patch_embeds_hidden_size << (depths.size() - 1); }
};

}  // namespace musicldm::clap
