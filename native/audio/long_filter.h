// Band-limited conversion between sample rates with a long filter, whole or piece by piece.
#pragma once

#include <ATen/core/Tensor.h>

namespace musicldm::audio {

// A ratio of rates in lowest terms, and the Kaiser-windowed sinc that belongs to it: flat up to
// 0.95 of the lower Nyquist frequency, -125 dB from that frequency on. Output n lies at input
// n * from / to.
class LongFilter {
 public:
  // E_ARGUMENT unless both rates are in 1..10000000.
  LongFilter(int64_t from_rate, int64_t to_rate);

  // Input samples on each side of an output that it depends on.
  int64_t reach() const { return reach_; }
  // Outputs of a clip of that many samples: all that lie inside it.
  int64_t output_length(int64_t samples) const;
  // wave [B, T] holds the inputs first_input.. and everything around it is silence
  // -> [B, count], the outputs first_output..
  at::Tensor apply(const at::Tensor& wave, int64_t first_input, int64_t first_output,
                   int64_t count) const;

 private:
  void fill_taps(double fraction, float* taps) const;
  at::Tensor repeating(const at::Tensor& wave, int64_t start, int64_t phase, int64_t count) const;
  at::Tensor single(const at::Tensor& wave, int64_t start, int64_t phase, int64_t count) const;

  int64_t from_;
  int64_t to_;
  double cutoff_;  // in cycles per input sample, doubled: 1 is the input's Nyquist frequency
  double half_width_;
  int64_t reach_;
};

// Resamples [..., T] whole. -> [..., ceil(T * to_rate / from_rate)]
at::Tensor resample_long(const at::Tensor& wave, int64_t from_rate, int64_t to_rate);

}  // namespace musicldm::audio
