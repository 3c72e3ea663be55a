// HTSAT: a hierarchical Swin transformer over a folded log-mel spectrogram (Chen et al.,
// arXiv 2202.00874), as transformers' ClapAudioEncoder and laion_clap have it.
#pragma once

#include "clap/audio_tower.h"
#include "clap/htsat_blocks.h"

namespace musicldm::clap {

// Blocks of one width, every other one with shifted windows, then merging unless it is the last.
class HtsatStage : public nn::Block {
 public:
  HtsatStage(const HtsatConfig& config, size_t stage);
  at::Tensor forward(at::Tensor x) const;  // [B, H, W, C]

 private:
  std::shared_ptr<nn::List<SwinBlock>> blocks_;
  std::shared_ptr<PatchMerging> downsample_;  // null in the last stage
};

class Htsat : public AudioEncoder {
 public:
  explicit Htsat(const HtsatConfig& config);
  Output forward(const at::Tensor& features, const std::vector<int64_t>& longer) const override;
  int64_t width() const override { return config_.width(); }
  int64_t channels() const override { return config_.channels(); }
  int64_t mel_bins() const override { return config_.num_mel_bins; }
  void check_frames(int64_t frames) const override;

 private:
  void set_initialisers();
  at::Tensor fold(const at::Tensor& features) const;
  at::Tensor unfold(const at::Tensor& tokens) const;

  HtsatConfig config_;
  std::shared_ptr<PatchEmbed> patch_embed_;
  std::shared_ptr<nn::List<HtsatStage>> layers_;
  std::shared_ptr<nn::BatchNorm> batch_norm_;
  std::shared_ptr<nn::LayerNorm> norm_;
};

}  // namespace musicldm::clap
