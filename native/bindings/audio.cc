// Ops on waveforms.
#include "audio/mel.h"
#include "audio/resample.h"
#include "runtime/registry.h"

namespace musicldm::bindings {
namespace {

using runtime::Args;
using runtime::Value;

audio::MelSettings mel_settings(const runtime::Map& map) {
  return {.sample_rate = runtime::get_integer(map, "sampleRate"),
          .fft_size = runtime::get_integer(map, "fftSize"),
          .hop_samples = runtime::get_integer(map, "hopSamples"),
          .mel_bins = runtime::get_integer(map, "melBins"),
          .min_hertz = runtime::get_number(map, "fMin"),
          .max_hertz = runtime::get_number(map, "fMax"),
          .padding = runtime::get_integer(map, "padding"),
          .epsilon = runtime::get_number(map, "epsilon")};
}

// wave, from rate, to rate
Value resample(const Args& args) {
  return audio::resample(args.tensor(0), args.integer(1), args.integer(2));
}

// wave, settings
Value log_mel(const Args& args) {
  return audio::log_mel(args.tensor(0), mel_settings(args.map(1)));
}

// settings
Value mel_filter_bank(const Args& args) {
  return audio::mel_filter_bank(mel_settings(args.map(0)));
}

const bool registered = [] {
  runtime::add_op("audio.resample", resample);
  runtime::add_op("audio.log_mel", log_mel);
  runtime::add_op("audio.mel_filter_bank", mel_filter_bank);
  return true;
}();

}  // namespace
}  // namespace musicldm::bindings
