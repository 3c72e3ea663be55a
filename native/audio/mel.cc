#include "audio/mel.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "audio/filter_bank.h"
#include "audio/mel_tables.h"
#include "audio/stft.h"
#include "kernels/cpu/buffer.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/workers.h"
#include "runtime/cancel.h"

namespace musicldm::audio {
namespace {

// Groups of frames between two looks at whether the job was cancelled.
constexpr int64_t kGroupsAtOnce = 2048;

// complex [B, bins, frames] -> magnitudes or powers
at::Tensor measure(const at::Tensor& spectrum, const MelSettings& settings) {
  if (settings.power == 1 && settings.epsilon == 0) return spectrum.abs();
  const at::Tensor power =
      at::real(spectrum).square() + at::imag(spectrum).square() + settings.epsilon;
  return settings.power == 1 ? power.sqrt() : power;
}

at::Tensor compress(const at::Tensor& mel, const MelSettings& settings) {
  const at::Tensor floored = mel.clamp_min(settings.floor);
  const at::Tensor raised = settings.offset == 0 ? floored : floored + settings.offset;
  switch (settings.compression) {
    case Compression::kLn:
      return raised.log();
    case Compression::kLog10:
      return raised.log10();
    case Compression::kDecibels:
      return raised.log10() * (20.0 / static_cast<double>(settings.power));
    default:
      return raised;
  }
}

at::Tensor mel_by_operators(const at::Tensor& given, const MelSettings& settings) {
  const at::Tensor wave = settings.in_double ? given.to(at::kDouble) : given;
  const auto options = wave.options().requires_grad(false);
  const at::Tensor bank = make_filter_bank(settings).to(options);
  const at::Tensor bins = measure(spectra(wave, settings.stft), settings);
  const at::Tensor mel = at::matmul(bank, bins);  // [B, mels, frames]
  return compress(mel, settings).transpose(1, 2).contiguous().to(given.scalar_type());
}

// Where frames come from: a wave, and what surrounds it.
struct Source {
  const float* wave;
  int64_t samples;
  const MelSettings& settings;

  float at(int64_t place) const {
    if (place >= 0 && place < samples) return wave[place];
    if (settings.stft.pad_mode == PadMode::kConstant) return 0;
    return wave[place < 0 ? -place : 2 * (samples - 1) - place];
  }
  // Where the window of a frame starts.
  int64_t start(int64_t frame) const {
    const StftSettings& stft = settings.stft;
    return frame * stft.hop_samples - stft.padding + stft.window_offset();
  }
};

// Lets a task read its frames, from `first` on; those that reach over an edge from `copies`.
template <class Real>
void point_to_frames(kernels::MelTask<Real>& task, const Source& source, int64_t first,
                     float* copies) {
  const int64_t span = task.plan->span;
  const int64_t start = source.start(first);
  const int64_t last = source.start(first + task.frames - 1);
  if (start >= 0 && last + span <= source.samples) {
    task.from = source.wave + start;
    task.hop = source.settings.stft.hop_samples;
    return;
  }
  task.from = copies;
  task.hop = span;
  for (int64_t i = 0; i < task.frames; ++i) {
    const int64_t from = source.start(first + i);
    for (int64_t n = 0; n < span; ++n) copies[i * span + n] = source.at(from + n);
  }
}

void run(const kernels::KernelTable& table, const kernels::MelTask<float>& task) {
  table.mel(task);
}
void run(const kernels::KernelTable& table, const kernels::MelTask<double>& task) {
  table.mel_double(task);
}

template <class Real>
at::Tensor mel_by_kernels(const at::Tensor& given, const MelSettings& settings) {
  const auto tables = MelTables<Real>::of(settings);
  const kernels::MelPlan<Real>& plan = tables->plan();
  const at::Tensor wave = given.contiguous();
  const int64_t frames = settings.stft.frames(wave.size(1));
  at::Tensor result = at::empty({wave.size(0), frames, plan.mel_bins}, wave.options());

  constexpr int64_t kFloats = sizeof(Real) / sizeof(float);
  const kernels::KernelTable& table = kernels::kernels();
  const int64_t lanes = table.lanes / kFloats;
  const int64_t groups = kernels::ceil_div(frames, lanes);
  const int64_t all = wave.size(0) * groups;
  const int64_t work = kernels::round_up(kFloats * kernels::mel_work(plan.fft_size, lanes), 16);
  const int64_t own = work + kernels::round_up(lanes * plan.span, 16);
  const kernels::Buffer buffer(kernels::worker_count(std::min(all, kGroupsAtOnce)) * own);
  const float* const samples = wave.const_data_ptr<float>();
  float* const to = result.mutable_data_ptr<float>();

  for (int64_t done = 0; done < all; done += kGroupsAtOnce) {
    runtime::throw_if_cancelled();
    kernels::run_items(std::min(kGroupsAtOnce, all - done), [&](int64_t index, int64_t worker) {
      const int64_t item = (done + index) / groups;
      const int64_t first = (done + index) % groups * lanes;
      float* const scratch = buffer.data() + worker * own;
      const Source source{samples + item * wave.size(1), wave.size(1), settings};
      kernels::MelTask<Real> task{.plan = &plan,
                                  .frames = std::min(lanes, frames - first),
                                  .work = reinterpret_cast<Real*>(scratch),
                                  .to = to + (item * frames + first) * plan.mel_bins};
      point_to_frames(task, source, first, scratch + work);
      run(table, task);
    });
  }
  return result;
}

bool wants_gradient(const at::Tensor& wave) {
  return at::GradMode::is_enabled() && wave.requires_grad();
}

}  // namespace

at::Tensor mel_filter_bank(const MelSettings& settings) {
  check_settings(settings);
  return make_filter_bank(settings).to(at::kFloat);
}

at::Tensor mel_spectrogram(const at::Tensor& wave, const MelSettings& settings) {
  check_settings(settings);
  check_wave(wave, settings.stft);
  if (!wave.is_cpu() || wants_gradient(wave) || !suits_kernels(settings.stft)) {
    return mel_by_operators(wave, settings);
  }
  return settings.in_double ? mel_by_kernels<double>(wave, settings)
                            : mel_by_kernels<float>(wave, settings);
}

}  // namespace musicldm::audio
