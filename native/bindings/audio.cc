// Ops on waveforms.
#include <initializer_list>
#include <string>
#include <utility>

#include "audio/clips.h"
#include "audio/long_filter.h"
#include "audio/mel.h"
#include "audio/resample.h"
#include "audio/stft.h"
#include "bindings/tensor_arguments.h"
#include "runtime/error.h"
#include "runtime/registry.h"

namespace musicldm::bindings {
namespace {

using runtime::Args;
using runtime::Map;
using runtime::Value;

// The enumerator that a string names.
template <class Enum>
Enum choose(const Map& map, const char* key,
            std::initializer_list<std::pair<const char*, Enum>> choices) {
  const std::string& given = runtime::get_string(map, key);
  std::string known;
  for (const auto& [name, value] : choices) {
    if (given == name) return value;
    known += (known.empty() ? "" : ", ") + std::string(name);
  }
  throw runtime::expected("E_ARGUMENT", "one of " + known, key, "\"" + given + "\"");
}

audio::StftSettings stft_settings(const Map& map) {
  using audio::Alignment;
  using audio::PadMode;
  using audio::Window;
  return {.fft_size = runtime::get_integer(map, "fftSize"),
          .hop_samples = runtime::get_integer(map, "hopSamples"),
          .window_samples = runtime::get_integer(map, "windowSamples"),
          .window = choose<Window>(map, "window",
                                   {{"hann", Window::kHann},
                                    {"hamming", Window::kHamming},
                                    {"blackman", Window::kBlackman},
                                    {"rectangular", Window::kRectangular}}),
          .alignment = choose<Alignment>(
              map, "alignment", {{"center", Alignment::kCenter}, {"start", Alignment::kStart}}),
          .padding = runtime::get_integer(map, "padding"),
          .pad_mode = choose<PadMode>(
              map, "padMode", {{"reflect", PadMode::kReflect}, {"constant", PadMode::kConstant}})};
}

audio::MelSettings mel_settings(const Map& map) {
  using audio::Compression;
  using audio::MelScale;
  return {.stft = stft_settings(map),
          .sample_rate = runtime::get_integer(map, "sampleRate"),
          .mel_bins = runtime::get_integer(map, "melBins"),
          .min_hertz = runtime::get_number(map, "fMin"),
          .max_hertz = runtime::get_number(map, "fMax"),
          .scale = choose<MelScale>(map, "scale",
                                    {{"slaney", MelScale::kSlaney}, {"htk", MelScale::kHtk}}),
          .has_unit_area = choose<bool>(map, "norm", {{"area", true}, {"none", false}}),
          .slopes_in_mel = choose<bool>(map, "slopes", {{"mel", true}, {"hertz", false}}),
          .power = runtime::get_integer(map, "power"),
          .epsilon = runtime::get_number(map, "epsilon"),
          .floor = runtime::get_number(map, "floor"),
          .offset = runtime::get_number(map, "offset"),
          .compression = choose<Compression>(map, "compression",
                                             {{"none", Compression::kNone},
                                              {"ln", Compression::kLn},
                                              {"log10", Compression::kLog10},
                                              {"dB", Compression::kDecibels}}),
          .in_double = choose<bool>(map, "precision", {{"float64", true}, {"float32", false}})};
}

audio::ClipSettings clip_settings(const Map& map) {
  using audio::Filling;
  return {.samples = runtime::get_integer(map, "samples"),
          .filling = choose<Filling>(map, "filling",
                                     {{"repeatpad", Filling::kRepeatPad},
                                      {"repeat", Filling::kRepeat},
                                      {"pad", Filling::kPad}}),
          .quantise = runtime::get_boolean(map, "quantise")};
}

// wave, from rate, to rate
Value resample(const Args& args) {
  return audio::resample(args.tensor(0), args.integer(1), args.integer(2));
}

// wave, from rate, to rate
Value resample_long(const Args& args) {
  return audio::resample_long(args.tensor(0), args.integer(1), args.integer(2));
}

// samples, rates, { firstInput, firstOutput, count } -> samples
Value resample_section(const Args& args) {
  const audio::LongFilter filter(args.integer(1), args.integer(2));
  const runtime::Map& section = args.map(3);
  const at::Tensor wave = args.tensor(0).unsqueeze(0);
  const at::Tensor output = filter.apply(wave, runtime::get_integer(section, "firstInput"),
                                         runtime::get_integer(section, "firstOutput"),
                                         runtime::get_integer(section, "count"));
  return runtime::TypedArray{output.squeeze(0)};
}

// from rate, to rate -> input samples on each side of an output
Value resample_reach(const Args& args) {
  return audio::LongFilter(args.integer(0), args.integer(1)).reach();
}

// wave, settings
Value stft(const Args& args) { return audio::stft(args.tensor(0), stft_settings(args.map(1))); }

// spectrum, settings, length or null
Value istft(const Args& args) {
  return audio::istft(args.tensor(0), stft_settings(args.map(1)), optional_integer(args, 2));
}

// wave, settings
Value mel_spectrogram(const Args& args) {
  return audio::mel_spectrogram(args.tensor(0), mel_settings(args.map(1)));
}

// settings
Value mel_filter_bank(const Args& args) {
  return audio::mel_filter_bank(mel_settings(args.map(0)));
}

// waves, their numbers, settings
Value make_clips(const Args& args) {
  return audio::make_clips(args.tensors(0), args.integers(1), clip_settings(args.map(2)));
}

// mel, frames
Value resize_frames(const Args& args) {
  return audio::resize_frames(args.tensor(0), args.integer(1));
}

const bool registered = [] {
  runtime::add_op("audio.resample", resample);
  runtime::add_op("audio.resample_long", resample_long);
  runtime::add_op("audio.resample_section", resample_section);
  runtime::add_op("audio.resample_reach", resample_reach);
  runtime::add_op("audio.stft", stft);
  runtime::add_op("audio.istft", istft);
  runtime::add_op("audio.mel_spectrogram", mel_spectrogram);
  runtime::add_op("audio.mel_filter_bank", mel_filter_bank);
  runtime::add_op("audio.make_clips", make_clips);
  runtime::add_op("audio.resize_frames", resize_frames);
  return true;
}();

}  // namespace
}  // namespace musicldm::bindings
