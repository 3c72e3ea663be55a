// What builds each kind of text network.
#pragma once

#include <cstdint>
#include <variant>

namespace musicldm::clap {

// BERT and RoBERTa: one network, which differs in how it counts positions.
struct BertConfig {
  int64_t vocab_size = 0;
  int64_t hidden_size = 0;
  int64_t num_hidden_layers = 0;
  int64_t num_attention_heads = 0;
  int64_t intermediate_size = 0;
  int64_t max_position_embeddings = 0;
  int64_t type_vocab_size = 1;
  int64_t pad_token_id = 0;
  // RoBERTa: positions count the tokens that are not padding, from pad_token_id + 1, and padding
  // has position pad_token_id. BERT: positions count all tokens from 0.
  bool skips_padding = false;
  double layer_norm_eps = 1e-12;
  double hidden_dropout_prob = 0;
  double attention_probs_dropout_prob = 0;
  // Standard deviations of initial weights.
  double linear_std = 0.02;
  double embedding_std = 0.02;
};

// The encoder of BART.
struct BartConfig {
  int64_t vocab_size = 0;
  int64_t d_model = 0;
  int64_t encoder_layers = 0;
  int64_t encoder_attention_heads = 0;
  int64_t encoder_ffn_dim = 0;
  int64_t max_position_embeddings = 0;
  int64_t pad_token_id = 1;
  bool scale_embedding = false;
  double dropout = 0;
  double attention_dropout = 0;
  double activation_dropout = 0;
  double init_std = 0.02;
};

// The text transformer of CLIP.
struct ClipTextConfig {
  int64_t vocab_size = 0;
  int64_t context_length = 0;
  int64_t width = 0;
  int64_t heads = 0;
  int64_t layers = 0;
  bool quick_gelu = false;
};

struct TextConfig {
  std::variant<BertConfig, BartConfig, ClipTextConfig> network = {};
  int64_t projection_dim = 0;
  bool projection_uses_gelu = false;  // otherwise ReLU
};

}  // namespace musicldm::clap
