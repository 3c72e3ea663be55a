// BERT and RoBERTa with their pooler (transformers' BertModel, RobertaModel and ClapTextModel).
#pragma once

#include "clap/text_config.h"
#include "clap/text_model.h"
#include "nn/block.h"
#include "nn/list.h"

namespace musicldm::clap {

// ids [B, N] -> [B, N, C]: word, type 0 and position, normalised.
class BertEmbeddings : public nn::Block {
 public:
  explicit BertEmbeddings(const BertConfig& config);
  at::Tensor forward(const at::Tensor& ids) const;

 private:
  at::Tensor positions(const at::Tensor& ids) const;  // their embeddings, [B or 1, N, C]

  int64_t pad_token_id_;
  bool skips_padding_;
  std::shared_ptr<nn::Embedding> word_embeddings_;
  std::shared_ptr<nn::Embedding> token_type_embeddings_;
  std::shared_ptr<nn::LayerNorm> layer_norm_;
  std::shared_ptr<nn::Dropout> dropout_;
  std::shared_ptr<nn::Embedding> position_embeddings_;
};

class BertSelfAttention : public nn::Block {
 public:
  explicit BertSelfAttention(const BertConfig& config);
  at::Tensor forward(const at::Tensor& x, const at::Tensor& keys) const;  // [B, N, C]

 private:
  int64_t heads_;
  std::shared_ptr<nn::Linear> query_;
  std::shared_ptr<nn::Linear> key_;
  std::shared_ptr<nn::Linear> value_;
  std::shared_ptr<nn::Dropout> dropout_;
};

// Linear and dropout, then LayerNorm of the sum with what the sublayer started from.
class BertResidual : public nn::Block {
 public:
  BertResidual(const BertConfig& config, int64_t in_width);
  at::Tensor forward(const at::Tensor& x, const at::Tensor& start) const;

 private:
  std::shared_ptr<nn::Linear> dense_;
  std::shared_ptr<nn::LayerNorm> layer_norm_;
  std::shared_ptr<nn::Dropout> dropout_;
};

class BertAttention : public nn::Block {
 public:
  explicit BertAttention(const BertConfig& config);
  at::Tensor forward(const at::Tensor& x, const at::Tensor& keys) const;

 private:
  std::shared_ptr<BertSelfAttention> self_;
  std::shared_ptr<BertResidual> output_;
};

// The one linear of a module that the published names call `dense`.
class BertDense : public nn::Block {
 public:
  BertDense(const BertConfig& config, int64_t out_width);
  at::Tensor forward(const at::Tensor& x) const { return dense_->forward(x); }

 private:
  std::shared_ptr<nn::Linear> dense_;
};

class BertLayer : public nn::Block {
 public:
  explicit BertLayer(const BertConfig& config);
  at::Tensor forward(const at::Tensor& x, const at::Tensor& keys) const;  // [B, N, C]

 private:
  std::shared_ptr<BertAttention> attention_;
  std::shared_ptr<BertDense> intermediate_;
  std::shared_ptr<BertResidual> output_;
};

class BertEncoder : public nn::Block {
 public:
  explicit BertEncoder(const BertConfig& config);
  at::Tensor forward(at::Tensor x, const at::Tensor& keys) const;  // [B, N, C]

 private:
  std::shared_ptr<nn::List<BertLayer>> layer_;
};

// Its pooled output is the first token through a linear layer and tanh.
class BertModel : public nn::Block, public TextModel {
 public:
  explicit BertModel(const BertConfig& config);
  Output forward(const at::Tensor& ids, const at::Tensor& mask) const override;
  Limits limits() const override;

 private:
  BertConfig config_;
  std::shared_ptr<BertEmbeddings> embeddings_;
  std::shared_ptr<BertEncoder> encoder_;
  std::shared_ptr<BertDense> pooler_;
};

}  // namespace musicldm::clap
