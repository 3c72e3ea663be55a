#include "audio/stft.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <string>

#include "runtime/error.h"
#include "runtime/value.h"

namespace musicldm::audio {
namespace {

// Below this sum of squared windows a sample is not determined (PyTorch's istft).
constexpr double kLeastOverlap = 1e-11;

// The window in a frame of fft_size samples, zeros around it.
at::Tensor frame_window(const StftSettings& settings, const at::TensorOptions& options) {
  const int64_t before = settings.window_offset();
  const int64_t after = settings.fft_size - settings.window_samples - before;
  return at::constant_pad_nd(make_window(settings), {before, after}).to(options);
}

at::Tensor pad(const at::Tensor& wave, const StftSettings& settings) {
  // libtorch's frames have fft_size samples; those past the window are multiplied by zero.
  const int64_t beyond = settings.fft_size - settings.frame_samples();
  at::Tensor padded = wave;
  if (settings.padding > 0) {
    padded = settings.pad_mode == PadMode::kReflect
                 ? at::reflection_pad1d(wave, {settings.padding, settings.padding})
                 : at::constant_pad_nd(wave, {settings.padding, settings.padding});
  }
  return beyond > 0 ? at::constant_pad_nd(padded, {0, beyond}) : padded;
}

void check_parts(const at::Tensor& parts, const StftSettings& settings) {
  const bool fits = parts.dim() == 4 && parts.size(0) > 0 && parts.size(1) == settings.bins() &&
                    parts.size(2) > 0 && parts.size(3) == 2;
  if (!fits) {
    throw runtime::expected("E_SHAPE",
                            "[batch, " + std::to_string(settings.bins()) + ", frames, 2]",
                            "spectrum", runtime::shape_text(parts.sizes()));
  }
  if (parts.scalar_type() != at::kFloat) {
    throw runtime::expected("E_DTYPE", "float32", "spectrum",
                            runtime::dtype_name(parts.scalar_type()));
  }
}

// Adds up frames where they lie. [B, fft_size, frames] -> [B, samples]
at::Tensor overlap(const at::Tensor& frames, const StftSettings& settings) {
  const int64_t samples = (frames.size(2) - 1) * settings.hop_samples + settings.fft_size;
  return at::col2im(frames, {1, samples}, {1, settings.fft_size}, {1, 1}, {0, 0},
                    {1, settings.hop_samples})
      .flatten(1);
}

}  // namespace

at::Tensor spectra(const at::Tensor& wave, const StftSettings& settings) {
  const auto options = wave.options().requires_grad(false);
  return at::stft(pad(wave, settings), settings.fft_size, settings.hop_samples, settings.fft_size,
                  frame_window(settings, options), /*center=*/false, "constant",
                  /*normalized=*/false, /*onesided=*/true, /*return_complex=*/true);
}

at::Tensor stft(const at::Tensor& wave, const StftSettings& settings) {
  check_settings(settings);
  check_wave(wave, settings);
  return at::view_as_real(spectra(wave, settings)).contiguous();
}

at::Tensor istft(const at::Tensor& parts, const StftSettings& settings,
                 std::optional<int64_t> length) {
  check_settings(settings);
  check_parts(parts, settings);
  const at::Tensor window = frame_window(settings, parts.options().requires_grad(false));
  const at::Tensor columns = window.unsqueeze(1);  // [fft_size, 1]
  const at::Tensor frames =
      at::fft_irfft(at::view_as_complex(parts.contiguous()), settings.fft_size, /*dim=*/1);
  const at::Tensor sum = overlap(frames * columns, settings);
  const at::Tensor squares = columns.square().expand({settings.fft_size, frames.size(2)});
  const at::Tensor weight = overlap(squares.unsqueeze(0).contiguous(), settings);

  const int64_t start = settings.padding;
  const int64_t most = sum.size(1) - start;
  const int64_t samples = length.value_or(most - start);
  if (samples < 1 || samples > most) {
    throw runtime::expected("E_ARGUMENT", "an integer in 1.." + std::to_string(most), "length",
                            std::to_string(samples));
  }
  const at::Tensor divisor = weight.narrow(1, start, samples);
  if (!(divisor.min().item<double>() > kLeastOverlap)) {
    throw runtime::expected(
        "E_ARGUMENT", "windows that cover every sample", "hopSamples, windowSamples and padding",
        std::to_string(settings.hop_samples) + ", " + std::to_string(settings.window_samples) +
            " and " + std::to_string(settings.padding));
  }
  return sum.narrow(1, start, samples) / divisor;
}

}  // namespace musicldm::audio
