// Windows, rotations and runs of filter weights that the mel kernels read.
#pragma once

#include <memory>
#include <vector>

#include "audio/settings.h"
#include "kernels/cpu/mel_task.h"

namespace musicldm::audio {

class MelTables {
 public:
  explicit MelTables(const MelSettings& settings);
  MelTables(const MelTables&) = delete;
  MelTables& operator=(const MelTables&) = delete;

  // The kernels know transforms whose half is a product of 2, 3 and 5.
  static bool suits(const MelSettings& settings);
  // Tables are kept for the settings that were used last.
  static std::shared_ptr<const MelTables> of(const MelSettings& settings);

  const kernels::MelPlan& plan() const { return plan_; }

 private:
  void fill_transform(int64_t fft_size);
  void fill_filters(const MelSettings& settings);

  std::vector<float> window_;
  std::vector<int32_t> places_;
  std::vector<kernels::FourierPass> passes_;
  std::vector<float> twiddles_;
  std::vector<float> turns_;
  std::vector<int32_t> starts_;
  std::vector<int32_t> counts_;
  std::vector<float> weights_;
  kernels::MelPlan plan_;
};

}  // namespace musicldm::audio
