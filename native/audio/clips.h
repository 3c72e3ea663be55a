// Clips of one length out of waves of any length, as CLAP's feature extractors make them.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace musicldm::audio {

// What becomes of a wave that is too short: whole repeats and then zeros; repeats up to the end;
// zeros alone.
enum class Filling { kRepeatPad, kRepeat, kPad };

struct ClipSettings {
  int64_t samples;  // of a clip; longer waves are cut
  Filling filling;
  bool quantise;  // through 16-bit integers, cut towards zero, and back
};

// E_NONFINITE names the wave by its number, and the first sample in it that is not finite.
// waves [T] f32 -> [waves, samples]
at::Tensor make_clips(const std::vector<at::Tensor>& waves, const std::vector<int64_t>& numbers,
                      const ClipSettings& settings);

// The time axis of mel spectrograms at another length, by straight lines between pixel centres,
// with no filter before. mel [B, T, F] -> [B, frames, F]
at::Tensor resize_frames(const at::Tensor& mel, int64_t frames);

}  // namespace musicldm::audio
