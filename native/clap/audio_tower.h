// CLAP's audio tower: an encoder of log-mel spectrograms, and the projection into the shared space.
#pragma once

#include <vector>

#include "clap/projection.h"
#include "nn/block.h"

namespace musicldm::clap {

class AudioEncoder : public nn::Block {
 public:
  struct Output {
    at::Tensor last_hidden_state;
    at::Tensor pooler_output;  // [B, width]
  };
  // features [B, channels, T, mel_bins] dB; `longer` lists the rows whose details are merged in.
  virtual Output forward(const at::Tensor& features, const std::vector<int64_t>& longer) const = 0;

  virtual int64_t width() const = 0;
  virtual int64_t channels() const = 0;
  virtual int64_t mel_bins() const = 0;
  virtual void check_frames(int64_t frames) const = 0;  // E_SHAPE
};

class AudioTower : public nn::Block {
 public:
  AudioTower(const std::shared_ptr<AudioEncoder>& encoder, int64_t projection_dim, bool uses_gelu);
  struct Output {
    at::Tensor last_hidden_state;
    at::Tensor pooler_output;  // [B, C]
    at::Tensor audio_embeds;   // [B, projection_dim], not normalised
  };
  // features [B, 1 or 4, T, F] dB, of any floating dtype; is_longer has one entry for each row, or
  // none at all. E_SHAPE and E_DTYPE name what does not fit.
  Output forward(const at::Tensor& features, const std::vector<bool>& is_longer) const;

 private:
  void check(const at::Tensor& features, size_t flags) const;

  std::shared_ptr<AudioEncoder> encoder_;
  std::shared_ptr<Projection> audio_projection_;
};

}  // namespace musicldm::clap
