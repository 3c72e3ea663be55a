// What a spectrum is made with. Defaults live in TypeScript: every field arrives complete.
#pragma once

#include <ATen/core/Tensor.h>

namespace musicldm::audio {

// All of them periodic.
enum class Window { kHann, kHamming, kBlackman, kRectangular };

// Where a window shorter than the transform lies in a frame: in the middle of fft_size samples
// (torch.stft, librosa), or at their start, so that a frame is as long as the window (NumPy,
// TensorFlow).
enum class Alignment { kCenter, kStart };

// What surrounds the wave: its mirror image without the outermost sample, or zeros.
enum class PadMode { kReflect, kConstant };

struct StftSettings {
  int64_t fft_size;
  int64_t hop_samples;
  int64_t window_samples;
  Window window;
  Alignment alignment;
  int64_t padding;  // samples on each side
  PadMode pad_mode;

  bool operator==(const StftSettings&) const = default;
  // Samples from the start of a frame to its end.
  int64_t frame_samples() const {
    return alignment == Alignment::kCenter ? fft_size : window_samples;
  }
  // Where the window starts in a frame.
  int64_t window_offset() const {
    return alignment == Alignment::kCenter ? (fft_size - window_samples) / 2 : 0;
  }
  int64_t bins() const { return fft_size / 2 + 1; }
  int64_t frames(int64_t samples) const {
    return 1 + (samples + 2 * padding - frame_samples()) / hop_samples;
  }
};

// Slaney's (Auditory Toolbox, 1998): linear below 1 kHz, logarithmic above. HTK's: 2595 log10(1 +
// f / 700), or 1127 ln(1 + f / 700), of which filters see only the shape.
enum class MelScale { kSlaney, kHtk };

enum class Compression { kNone, kLn, kLog10, kDecibels };

struct MelSettings {
  StftSettings stft;
  int64_t sample_rate;
  int64_t mel_bins;
  double min_hertz;
  double max_hertz;
  MelScale scale;
  bool has_unit_area;  // each filter divided by half its width in hertz
  bool slopes_in_mel;  // straight in mel and not in hertz
  int64_t power;       // 1 for magnitudes, 2
  double epsilon;      // added to the power of a bin, before its square root
  double floor;        // of mel values
  double offset;       // added to them after that
  Compression compression;
  bool in_double;  // transforms and filters; waves and results are float32 in any case

  bool operator==(const MelSettings&) const = default;
  // What the natural logarithm is multiplied by; 0 for none.
  double log_factor() const;
};

// E_ARGUMENT for what cannot be.
void check_settings(const StftSettings& settings);
void check_settings(const MelSettings& settings);

// E_SHAPE or E_DTYPE unless it is [batch, samples] of float32 and long enough for a frame.
void check_wave(const at::Tensor& wave, const StftSettings& settings);

// The window alone, [window_samples] f64.
at::Tensor make_window(const StftSettings& settings);

}  // namespace musicldm::audio
