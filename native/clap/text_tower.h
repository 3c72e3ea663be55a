// CLAP's text tower: RoBERTa with a pooler, and the projection into the shared space
// (transformers' ClapTextModelWithProjection).
#pragma once

#include "nn/block.h"
#include "nn/dropout.h"
#include "nn/layers.h"
#include "nn/list.h"

namespace musicldm::clap {

struct TextConfig {
  int64_t vocab_size = 0;
  int64_t hidden_size = 0;
  int64_t num_hidden_layers = 0;
  int64_t num_attention_heads = 0;
  int64_t intermediate_size = 0;
  int64_t max_position_embeddings = 0;
  int64_t type_vocab_size = 1;
  int64_t projection_dim = 0;
  bool projection_uses_gelu = false;  // otherwise ReLU
  int64_t pad_token_id = 1;
  double layer_norm_eps = 1e-12;
  double initializer_factor = 1;
  double hidden_dropout_prob = 0;
  double attention_probs_dropout_prob = 0;
};

// ids [B, N] -> [B, N, C]: word, type 0 and position, normalised. Positions count the tokens that
// are not padding, from pad_token_id + 1; padding has position pad_token_id.
class TextEmbeddings : public nn::Block {
 public:
  explicit TextEmbeddings(const TextConfig& config);
  at::Tensor forward(const at::Tensor& ids) const;

 private:
  int64_t pad_token_id_;
  std::shared_ptr<nn::Embedding> word_embeddings_;
  std::shared_ptr<nn::Embedding> token_type_embeddings_;
  std::shared_ptr<nn::LayerNorm> layer_norm_;
  std::shared_ptr<nn::Dropout> dropout_;
  std::shared_ptr<nn::Embedding> position_embeddings_;
};

class TextSelfAttention : public nn::Block {
 public:
  explicit TextSelfAttention(const TextConfig& config);
  // mask: bool [B, 1, 1, N], true where a token counts; undefined when all do.
  at::Tensor forward(const at::Tensor& x, const at::Tensor& mask) const;  // [B, N, C]

 private:
  int64_t heads_;
  std::shared_ptr<nn::Linear> query_;
  std::shared_ptr<nn::Linear> key_;
  std::shared_ptr<nn::Linear> value_;
  std::shared_ptr<nn::Dropout> dropout_;
};

// Linear and dropout, then LayerNorm of the sum with what the sublayer started from.
class TextResidual : public nn::Block {
 public:
  TextResidual(const TextConfig& config, int64_t in_width);
  at::Tensor forward(const at::Tensor& x, const at::Tensor& start) const;

 private:
  std::shared_ptr<nn::Linear> dense_;
  std::shared_ptr<nn::LayerNorm> layer_norm_;
  std::shared_ptr<nn::Dropout> dropout_;
};

class TextAttention : public nn::Block {
 public:
  explicit TextAttention(const TextConfig& config);
  at::Tensor forward(const at::Tensor& x, const at::Tensor& mask) const;

 private:
  std::shared_ptr<TextSelfAttention> self_;
  std::shared_ptr<TextResidual> output_;
};

// The one linear of a module that the published names call `dense`.
class TextDense : public nn::Block {
 public:
  TextDense(const TextConfig& config, int64_t out_width);
  at::Tensor forward(const at::Tensor& x) const { return dense_->forward(x); }

 private:
  std::shared_ptr<nn::Linear> dense_;
};

class TextLayer : public nn::Block {
 public:
  explicit TextLayer(const TextConfig& config);
  at::Tensor forward(const at::Tensor& x, const at::Tensor& mask) const;  // [B, N, C]

 private:
  std::shared_ptr<TextAttention> attention_;
  std::shared_ptr<TextDense> intermediate_;
  std::shared_ptr<TextResidual> output_;
};

class TextEncoder : public nn::Block {
 public:
  explicit TextEncoder(const TextConfig& config);
  at::Tensor forward(at::Tensor x, const at::Tensor& mask) const;  // [B, N, C]

 private:
  std::shared_ptr<nn::List<TextLayer>> layer_;
};

class TextModel : public nn::Block {
 public:
  explicit TextModel(const TextConfig& config);
  struct Output {
    at::Tensor last_hidden_state;  // [B, N, C]
    at::Tensor pooler_output;      // [B, C]
  };
  Output forward(const at::Tensor& ids, const at::Tensor& mask) const;

 private:
  std::shared_ptr<TextEmbeddings> embeddings_;
  std::shared_ptr<TextEncoder> encoder_;
  std::shared_ptr<TextDense> pooler_;
};

// Linear, activation, linear: [B, C] -> [B, projection_dim].
class Projection : public nn::Block {
 public:
  explicit Projection(const TextConfig& config);
  at::Tensor forward(const at::Tensor& x) const;

 private:
  bool uses_gelu_;
  std::shared_ptr<nn::Linear> linear1_;
  std::shared_ptr<nn::Linear> linear2_;
};

class TextTower : public nn::Block {
 public:
  explicit TextTower(const TextConfig& config);
  struct Output {
    at::Tensor last_hidden_state;  // [B, N, C]
    at::Tensor pooler_output;      // [B, C]
    at::Tensor text_embeds;        // [B, projection_dim], not normalised
  };
  // ids [B, N] i64, mask [B, N] i64 of 1 for tokens and 0 for padding, undefined without padding.
  // E_SHAPE, E_DTYPE and E_ARGUMENT (an id outside the vocabulary, too many tokens) name what does
  // not fit.
  Output forward(const at::Tensor& ids, const at::Tensor& mask) const;

 private:
  void set_initialisers();
  void check(const at::Tensor& ids, const at::Tensor& mask) const;

  TextConfig config_;
  std::shared_ptr<TextModel> text_model_;
  std::shared_ptr<Projection> text_projection_;
};

}  // namespace musicldm::clap
