#include "clap/audio_tower.h"

#include <string>

#include "runtime/error.h"
#include "runtime/value.h"

namespace musicldm::clap {

namespace {

// The published names have a module around the encoder.
class AudioModel : public nn::Block {
 public:
  explicit AudioModel(const std::shared_ptr<AudioEncoder>& encoder) {
    register_module("audio_encoder", encoder);
  }
};

}  // namespace

AudioTower::AudioTower(const std::shared_ptr<AudioEncoder>& encoder, int64_t projection_dim,
                       bool uses_gelu)
    : encoder_(encoder) {
  child<AudioModel>("audio_model", encoder);
  audio_projection_ =
      child<Projection>("audio_projection", encoder->width(), projection_dim, uses_gelu);
}

AudioTower::Output AudioTower::forward(const at::Tensor& features,
                                       const std::vector<bool>& is_longer) const {
  check(features, is_longer.size());
  std::vector<int64_t> longer;
  for (size_t row = 0; row < is_longer.size(); ++row) {
    if (is_longer[row]) longer.push_back(static_cast<int64_t>(row));
  }
  const at::ScalarType dtype = parameters().front().scalar_type();
  const auto [hidden, pooled] = encoder_->forward(features.to(dtype), longer);
  return {hidden, pooled, audio_projection_->forward(pooled)};
}

void AudioTower::check(const at::Tensor& features, size_t flags) const {
  const std::string channels = std::to_string(encoder_->channels());
  const std::string bins = std::to_string(encoder_->mel_bins());
  if (features.dim() != 4 || features.numel() == 0 || features.size(1) != encoder_->channels() ||
      features.size(3) != encoder_->mel_bins()) {
    throw runtime::expected("E_SHAPE", "[batch, " + channels + ", frames, " + bins + "]",
                            "features", runtime::shape_text(features.sizes()));
  }
  encoder_->check_frames(features.size(2));
  if (!features.is_floating_point()) {
    throw runtime::expected("E_DTYPE", "a floating dtype", "features",
                            runtime::dtype_name(features.scalar_type()));
  }
  if (flags != 0 && flags != static_cast<size_t>(features.size(0))) {
    throw runtime::expected("E_SHAPE", std::to_string(features.size(0)) + " entries, as rows",
                            "isLonger", std::to_string(flags));
  }
}

}  // namespace musicldm::clap
