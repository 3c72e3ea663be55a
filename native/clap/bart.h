// The encoder of BART (transformers' BartModel without its decoder).
#pragma once

#include "clap/text_config.h"
#include "clap/text_model.h"
#include "nn/block.h"
#include "nn/list.h"

namespace musicldm::clap {

class BartAttention : public nn::Block {
 public:
  explicit BartAttention(const BartConfig& config);
  at::Tensor forward(const at::Tensor& x, const at::Tensor& keys) const;  // before out_proj
  const nn::Linear& out_proj() const { return *out_proj_; }

 private:
  int64_t heads_;
  std::shared_ptr<nn::Linear> k_proj_;
  std::shared_ptr<nn::Linear> v_proj_;
  std::shared_ptr<nn::Linear> q_proj_;
  std::shared_ptr<nn::Linear> out_proj_;
  std::shared_ptr<nn::Dropout> dropout_;
};

class BartLayer : public nn::Block {
 public:
  explicit BartLayer(const BartConfig& config);
  at::Tensor forward(const at::Tensor& x, const at::Tensor& keys) const;  // [B, N, C]

 private:
  at::Tensor add(const nn::Linear& last, const at::Tensor& x, const at::Tensor& start) const;

  std::shared_ptr<BartAttention> self_attn_;
  std::shared_ptr<nn::LayerNorm> self_attn_layer_norm_;
  std::shared_ptr<nn::Linear> fc1_;
  std::shared_ptr<nn::Linear> fc2_;
  std::shared_ptr<nn::LayerNorm> final_layer_norm_;
  std::shared_ptr<nn::Dropout> dropout_;
  std::shared_ptr<nn::Dropout> activation_dropout_;
};

// Adds learned positions, which start at row 2 of their table, and normalises.
class BartEncoder : public nn::Block {
 public:
  explicit BartEncoder(const BartConfig& config);
  at::Tensor forward(at::Tensor x, const at::Tensor& keys) const;  // [B, N, C]

 private:
  std::shared_ptr<nn::Embedding> embed_positions_;
  std::shared_ptr<nn::List<BartLayer>> layers_;
  std::shared_ptr<nn::LayerNorm> layernorm_embedding_;
  std::shared_ptr<nn::Dropout> dropout_;
};

// Its pooled output is the mean of all positions, padding included.
class BartModel : public nn::Block, public TextModel {
 public:
  explicit BartModel(const BartConfig& config);
  Output forward(const at::Tensor& ids, const at::Tensor& mask) const override;
  Limits limits() const override;

 private:
  BartConfig config_;
  std::shared_ptr<nn::Embedding> shared_;
  std::shared_ptr<BartEncoder> encoder_;
};

}  // namespace musicldm::clap
