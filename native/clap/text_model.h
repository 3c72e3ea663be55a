// What the text tower needs of a text network, and what the networks share.
#pragma once

#include "nn/dropout.h"
#include "nn/layers.h"

namespace musicldm::clap {

class TextModel {
 public:
  struct Output {
    at::Tensor last_hidden_state;  // [B, N, C]
    at::Tensor pooler_output;      // [B, C]
  };
  struct Limits {
    int64_t vocab_size = 0;
    int64_t tokens = 0;  // of one text
    int64_t width = 0;   // C
  };

  virtual ~TextModel() = default;
  // ids [B, N] i64 within the limits, mask [B, N] of 1 for tokens and 0 for padding, undefined
  // without padding.
  virtual Output forward(const at::Tensor& ids, const at::Tensor& mask) const = 0;
  virtual Limits limits() const = 0;
};

// Which keys attention looks at: bool [B, 1, 1, N], undefined where the mask hides none.
at::Tensor visible_keys(const at::Tensor& mask);

// Attention of separate layers for query, key and value with dropout of its weights.
// x [B, N, C], keys as from visible_keys -> [B, N, C]
struct TextAttentionLayers {
  const std::shared_ptr<nn::Linear>& query;
  const std::shared_ptr<nn::Linear>& key;
  const std::shared_ptr<nn::Linear>& value;
  nn::Dropout& dropout;
  int64_t heads = 1;

  at::Tensor forward(const at::Tensor& x, const at::Tensor& keys) const;
};

// Starts all linear layers and embeddings of a tree as normal numbers, biases as 0.
void start_normal(torch::nn::Module& root, double linear_std, double embedding_std);

}  // namespace musicldm::clap
