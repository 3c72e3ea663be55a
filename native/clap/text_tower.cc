#include "clap/text_tower.h"

#include <string>

#include "clap/bart.h"
#include "clap/bert.h"
#include "clap/clip_text.h"
#include "runtime/error.h"
#include "runtime/value.h"

namespace musicldm::clap {

namespace {

template <class... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};

}  // namespace

TextTower::TextTower(const TextConfig& config) {
  const Overloaded build{
      [&](const BertConfig& c) -> std::shared_ptr<TextModel> {
        return child<BertModel>("text_model", c);
      },
      [&](const BartConfig& c) -> std::shared_ptr<TextModel> {
        return child<BartModel>("text_model", c);
      },
      [&](const ClipTextConfig& c) -> std::shared_ptr<TextModel> {
        return child<ClipTextModel>("text_model", c);
      },
  };
  text_model_ = std::visit(build, config.network);
  text_projection_ = child<Projection>("text_projection", text_model_->limits().width,
                                       config.projection_dim, config.projection_uses_gelu);
  // As ClapPreTrainedModel starts the projection of its RoBERTa; laion_clap starts that of every
  // text network as PyTorch does.
  const auto* bert = std::get_if<BertConfig>(&config.network);
  if (bert && bert->skips_padding) {
    start_normal(*text_projection_, bert->linear_std, bert->embedding_std);
  }
}

TextTower::Output TextTower::forward(const at::Tensor& ids, const at::Tensor& mask) const {
  check(ids, mask);
  const auto [hidden, pooled] = text_model_->forward(ids, mask);
  return {hidden, pooled, text_projection_->forward(pooled)};
}

void TextTower::check(const at::Tensor& ids, const at::Tensor& mask) const {
  if (ids.dim() != 2 || ids.numel() == 0) {
    throw runtime::expected("E_SHAPE", "[batch, tokens]", "ids", runtime::shape_text(ids.sizes()));
  }
  if (mask.defined() && mask.sizes() != ids.sizes()) {
    throw runtime::expected("E_SHAPE", runtime::shape_text(ids.sizes()), "mask",
                            runtime::shape_text(mask.sizes()));
  }
  if (ids.scalar_type() != at::kLong) {
    throw runtime::expected("E_DTYPE", "int64", "ids", runtime::dtype_name(ids.scalar_type()));
  }
  const TextModel::Limits limits = text_model_->limits();
  if (ids.size(1) > limits.tokens) {
    throw runtime::expected("E_ARGUMENT", "at most " + std::to_string(limits.tokens) + " tokens",
                            "ids", std::to_string(ids.size(1)));
  }
  const int64_t low = ids.min().item<int64_t>();
  const int64_t high = ids.max().item<int64_t>();
  if (low < 0 || high >= limits.vocab_size) {
    throw runtime::expected("E_ARGUMENT", "0.." + std::to_string(limits.vocab_size - 1), "ids",
                            std::to_string(low < 0 ? low : high));
  }
}

}  // namespace musicldm::clap
