// PANNs: convolutional networks over a log-mel spectrogram (Kong et al., arXiv 1912.10211), in the
// variants of laion_clap's pann_model.
#pragma once

#include <vector>

#include "clap/audio_tower.h"
#include "clap/feature_fusion.h"
#include "nn/dropout.h"
#include "nn/layers.h"

namespace musicldm::clap {

struct PannConfig {
  std::vector<int64_t> widths;  // output channels of the blocks
  int64_t kernel = 3;           // of two convolutions; with 5 a block has one
  int64_t unpooled_from = 0;    // blocks from here on keep the size of their map
  int64_t num_mel_bins = 64;
  FusionType fusion = FusionType::kNone;
};

// Convolutions, each normalised and rectified, then the mean of 2 x 2: [B, C, T, F] ->
// [B, C', T / 2, F / 2].
class PannBlock : public nn::Block {
 public:
  PannBlock(int64_t in_channels, int64_t out_channels, int64_t kernel);
  at::Tensor forward(const at::Tensor& x, bool pools) const;

 private:
  std::shared_ptr<nn::Conv2d> conv1_;
  std::shared_ptr<nn::Conv2d> conv2_;  // null with kernel 5
  std::shared_ptr<nn::BatchNorm> bn1_;
  std::shared_ptr<nn::BatchNorm> bn2_;
};

// One patch of 5 x 5 for every 6 frames and 2 bins.
class DetailConv : public nn::Layer {
 public:
  DetailConv();
  at::Tensor forward(const at::Tensor& x) const;  // [B, 1, T, F] -> [B, 64, T / 6, F / 2]
};

// Details of a long clip, of a third of the frames that a block gives: [B, 1, T, F] ->
// [B, 64, T / 6, F / 2].
class PannDetails : public nn::Block {
 public:
  PannDetails();
  at::Tensor forward(const at::Tensor& x) const;

 private:
  std::shared_ptr<DetailConv> conv_;
  std::shared_ptr<nn::BatchNorm> norm_;
};

class Pann : public AudioEncoder {
 public:
  explicit Pann(const PannConfig& config);
  // last_hidden_state [B, C, T'], the mean over frequency of the last block.
  Output forward(const at::Tensor& features, const std::vector<int64_t>& longer) const override;
  int64_t width() const override { return config_.widths.back(); }
  int64_t channels() const override { return config_.fusion == FusionType::kNone ? 1 : 4; }
  int64_t mel_bins() const override { return config_.num_mel_bins; }
  void check_frames(int64_t frames) const override;

 private:
  bool pools(size_t block) const;
  at::Tensor merge(const at::Tensor& whole, const at::Tensor& mels,
                   const std::vector<int64_t>& longer) const;
  void set_initialisers();

  PannConfig config_;
  std::shared_ptr<nn::BatchNorm> bn0_;
  std::vector<std::shared_ptr<PannBlock>> blocks_;
  std::shared_ptr<nn::Linear> fc1_;
  std::shared_ptr<PannDetails> mel_conv2d_;      // with fusion of maps
  std::shared_ptr<FeatureFusion> fusion_model_;  // likewise
  std::shared_ptr<nn::Dropout> block_dropout_;
  std::shared_ptr<nn::Dropout> head_dropout_;
};

}  // namespace musicldm::clap
