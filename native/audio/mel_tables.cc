#include "audio/mel_tables.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <mutex>
#include <numbers>
#include <utility>

#include "audio/filter_bank.h"

namespace musicldm::audio {
namespace {

constexpr size_t kKeptTables = 8;

// Radices of the passes in their order; empty where a factor is none of theirs.
std::vector<int64_t> radices_of(int64_t size) {
  std::vector<int64_t> radices;
  for (const int64_t radix : {4, 2, 3, 5}) {
    for (; size % radix == 0; size /= radix) radices.push_back(radix);
  }
  return size == 1 ? radices : std::vector<int64_t>();
}

// Which number stands at each place before the passes: part q of the last pass has numbers q,
// q + radix, q + 2 radix, ... of the whole, itself in such an order.
std::vector<int32_t> input_order(const std::vector<int64_t>& radices) {
  std::vector<int32_t> order = {0};
  for (const int64_t radix : radices) {
    std::vector<int32_t> longer;
    for (int64_t q = 0; q < radix; ++q) {
      for (const int32_t index : order) longer.push_back(static_cast<int32_t>(q + radix * index));
    }
    order = std::move(longer);
  }
  return order;
}

template <class Real>
void add_rotation(std::vector<Real>& to, int64_t part, int64_t whole) {
  const double angle =
      2 * std::numbers::pi * static_cast<double>(part) / static_cast<double>(whole);
  to.push_back(static_cast<Real>(std::cos(angle)));
  to.push_back(static_cast<Real>(std::sin(angle)));
}

}  // namespace

bool suits_kernels(const StftSettings& settings) {
  const int64_t size = settings.fft_size;
  return size >= 4 && size % 2 == 0 && !radices_of(size / 2).empty();
}

template <class Real>
std::shared_ptr<const MelTables<Real>> MelTables<Real>::of(const MelSettings& settings) {
  using Entry = std::pair<MelSettings, std::shared_ptr<const MelTables<Real>>>;
  static std::mutex mutex;
  static std::deque<Entry> kept;
  const std::lock_guard lock(mutex);
  const auto found = std::find_if(kept.begin(), kept.end(),
                                  [&](const Entry& entry) { return entry.first == settings; });
  const auto tables =
      found != kept.end() ? found->second : std::make_shared<const MelTables<Real>>(settings);
  if (found != kept.end()) kept.erase(found);
  kept.emplace_front(settings, tables);
  if (kept.size() > kKeptTables) kept.pop_back();
  return tables;
}

template <class Real>
MelTables<Real>::MelTables(const MelSettings& settings) {
  const at::Tensor window = make_window(settings.stft);
  const double* value = window.const_data_ptr<double>();
  for (int64_t n = 0; n < settings.stft.window_samples; ++n) {
    window_.push_back(static_cast<Real>(value[n] / 2));
  }
  fill_transform(settings.stft.fft_size);
  fill_filters(settings);
  const double least = settings.floor + settings.offset;
  const double factor = settings.log_factor();
  plan_ = {.fft_size = settings.stft.fft_size,
           .span = settings.stft.window_samples,
           .window = window_.data(),
           .places = places_.data(),
           .passes = passes_.data(),
           .pass_count = static_cast<int64_t>(passes_.size()),
           .turns = turns_.data(),
           .is_magnitude = settings.power == 1,
           .epsilon = static_cast<Real>(settings.epsilon),
           .mel_bins = settings.mel_bins,
           .starts = starts_.data(),
           .counts = counts_.data(),
           .weights = weights_.data(),
           .floor = static_cast<float>(settings.floor),
           .offset = static_cast<float>(settings.offset),
           .log_factor = static_cast<float>(factor),
           .floor_result = static_cast<float>(factor == 0 ? least : factor * std::log(least))};
}

template <class Real>
void MelTables<Real>::fill_transform(int64_t fft_size) {
  const int64_t half = fft_size / 2;
  const std::vector<int64_t> radices = radices_of(half);
  const std::vector<int32_t> order = input_order(radices);
  places_.resize(order.size());
  for (size_t place = 0; place < order.size(); ++place) {
    places_[order[place]] = static_cast<int32_t>(place);
  }
  std::vector<size_t> offsets;
  int64_t length = 1;
  for (const int64_t radix : radices) {
    offsets.push_back(twiddles_.size());
    passes_.push_back({.radix = radix, .length = length});
    for (int64_t j = 0; j < length; ++j) {
      for (int64_t q = 1; q < radix; ++q) add_rotation(twiddles_, j * q, length * radix);
    }
    length *= radix;
  }
  for (size_t i = 0; i < passes_.size(); ++i) passes_[i].twiddles = twiddles_.data() + offsets[i];
  for (int64_t k = 0; k <= half / 2; ++k) add_rotation(turns_, k, fft_size);
}

template <class Real>
void MelTables<Real>::fill_filters(const MelSettings& settings) {
  const at::Tensor bank = make_filter_bank(settings).to(c10::CppTypeToScalarType<Real>::value);
  const int64_t bins = settings.stft.bins();
  const Real* row = bank.const_data_ptr<Real>();
  for (int64_t m = 0; m < settings.mel_bins; ++m, row += bins) {
    int64_t end = bins;
    while (end > 0 && row[end - 1] == 0) --end;
    int64_t start = 0;
    while (start < end && row[start] == 0) ++start;
    starts_.push_back(static_cast<int32_t>(start));
    counts_.push_back(static_cast<int32_t>(end - start));
    weights_.insert(weights_.end(), row + start, row + end);
  }
}

template class MelTables<float>;
template class MelTables<double>;

}  // namespace musicldm::audio
