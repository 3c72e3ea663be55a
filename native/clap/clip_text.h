// CLIP's text transformer under laion_clap's names: norms come first, tokens look back only.
#pragma once

#include "clap/text_config.h"
#include "clap/text_model.h"
#include "nn/block.h"
#include "nn/list.h"
#include "nn/packed_linear.h"

namespace musicldm::clap {

// Its own weight projects to query, key and value side by side.
class ClipAttention : public nn::Layer {
 public:
  explicit ClipAttention(const ClipTextConfig& config);
  // Attention of x, [B, N, C], added to `residual`.
  at::Tensor forward(const at::Tensor& x, const at::Tensor& residual) const;
  void drop_packed() override { packed_ = {}; }
  nn::Linear& out_proj() { return *out_proj_; }

 private:
  at::Tensor project(const at::Tensor& x) const;  // [B, N, 3C]

  int64_t heads_;
  mutable nn::PackedLinear packed_;
  std::shared_ptr<nn::Linear> out_proj_;
};

class ClipMlp : public nn::Block {
 public:
  explicit ClipMlp(const ClipTextConfig& config);
  at::Tensor forward(const at::Tensor& x, const at::Tensor& residual) const;
  nn::Linear& c_fc() { return *c_fc_; }
  nn::Linear& c_proj() { return *c_proj_; }

 private:
  bool quick_gelu_;
  std::shared_ptr<nn::Linear> c_fc_;
  std::shared_ptr<nn::Linear> c_proj_;
};

class ClipBlock : public nn::Block {
 public:
  explicit ClipBlock(const ClipTextConfig& config);
  at::Tensor forward(const at::Tensor& x) const;  // [B, N, C]

 private:
  void set_initialisers(const ClipTextConfig& config);

  std::shared_ptr<ClipAttention> attn_;
  std::shared_ptr<nn::LayerNorm> ln_1_;
  std::shared_ptr<ClipMlp> mlp_;
  std::shared_ptr<nn::LayerNorm> ln_2_;
};

// Its own weight holds the positions. The pooled output is the state of the token with the highest
// id, which is the end of the text; what follows has no effect on it, so that no mask is needed.
class ClipTextModel : public nn::Layer, public TextModel {
 public:
  explicit ClipTextModel(const ClipTextConfig& config);
  Output forward(const at::Tensor& ids, const at::Tensor& mask) const override;
  Limits limits() const override;

 private:
  ClipTextConfig config_;
  std::shared_ptr<nn::Embedding> token_embedding_;
  std::shared_ptr<nn::List<ClipBlock>> resblocks_;
  std::shared_ptr<nn::LayerNorm> ln_final_;
};

}  // namespace musicldm::clap
