#include "audio/clips.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "runtime/cancel.h"
#include "runtime/error.h"
#include "runtime/value.h"

namespace musicldm::audio {
namespace {

// laion_clap's int16 range, symmetric.
constexpr double kLargestSample = 32767;

int64_t repeats(int64_t length, const ClipSettings& settings) {
  switch (settings.filling) {
    case Filling::kRepeatPad:
      return settings.samples / length;
    case Filling::kRepeat:
      return settings.samples / length + 1;
    default:
      return 1;
  }
}

void check_finite(const float* wave, int64_t samples, int64_t number) {
  const float* end = wave + samples;
  const float* bad = std::find_if(wave, end, [](float value) { return !std::isfinite(value); });
  if (bad == end) return;
  throw runtime::expected("E_NONFINITE", "finite samples", "waves[" + std::to_string(number) + "]",
                          std::to_string(*bad) + " at " + std::to_string(bad - wave));
}

void fill(const at::Tensor& wave, int64_t number, const ClipSettings& settings, float* to) {
  if (wave.dim() != 1 || wave.numel() == 0 || wave.scalar_type() != at::kFloat) {
    throw runtime::expected("E_ARGUMENT", "samples", "waves[" + std::to_string(number) + "]",
                            runtime::Value(wave).describe());
  }
  const int64_t length = std::min(wave.numel(), settings.samples);
  const at::Tensor held = wave.contiguous();
  const float* from = held.const_data_ptr<float>();
  check_finite(from, length, number);
  const int64_t filled = std::min(settings.samples, length * repeats(length, settings));
  for (int64_t place = 0; place < filled; place += length) {
    std::copy_n(from, std::min(length, filled - place), to + place);
  }
  std::fill(to + filled, to + settings.samples, 0.0F);
}

}  // namespace

at::Tensor make_clips(const std::vector<at::Tensor>& waves, const std::vector<int64_t>& numbers,
                      const ClipSettings& settings) {
  const auto count = static_cast<int64_t>(waves.size());
  at::Tensor clips = at::empty({count, settings.samples}, at::kFloat);
  float* const to = clips.mutable_data_ptr<float>();
  for (size_t i = 0; i < waves.size(); ++i) {
    runtime::throw_if_cancelled();
    fill(waves[i], numbers.at(i), settings, to + static_cast<int64_t>(i) * settings.samples);
  }
  if (settings.quantise) clips.clamp_(-1, 1).mul_(kLargestSample).trunc_().div_(kLargestSample);
  return clips;
}

at::Tensor resize_frames(const at::Tensor& mel, int64_t frames) {
  if (mel.dim() != 3 || mel.numel() == 0 || frames < 1) {
    throw runtime::expected("E_SHAPE", "[batch, frames, bins] and at least 1 frame", "mel",
                            runtime::shape_text(mel.sizes()) + " and " + std::to_string(frames));
  }
  return at::upsample_bilinear2d(mel.unsqueeze(1), {frames, mel.size(2)}, /*align_corners=*/false)
      .squeeze(1);
}

}  // namespace musicldm::audio
