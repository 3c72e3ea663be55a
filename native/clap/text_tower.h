// CLAP's text tower: a text network, and the projection into the shared space (transformers'
// ClapTextModelWithProjection; laion_clap's text branches).
#pragma once

#include "clap/projection.h"
#include "clap/text_config.h"
#include "clap/text_model.h"
#include "nn/block.h"

namespace musicldm::clap {

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
  void check(const at::Tensor& ids, const at::Tensor& mask) const;

  std::shared_ptr<TextModel> text_model_;
  std::shared_ptr<Projection> text_projection_;
};

}  // namespace musicldm::clap
