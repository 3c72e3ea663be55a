// Windows, rotations and runs of filter weights that the mel kernels read.
#pragma once

#include <memory>
#include <vector>

#include "audio/settings.h"
#include "kernels/cpu/mel_task.h"

namespace musicldm::audio {

// The kernels know transforms whose half is a product of 2, 3 and 5.
bool suits_kernels(const StftSettings& settings);

// In float or double.
template <class Real>
class MelTables {
 public:
  explicit MelTables(const MelSettings& settings);
  MelTables(const MelTables&) = delete;
  MelTables& operator=(const MelTables&) = delete;

  // Tables are kept for the settings that were used last.
  static std::shared_ptr<const MelTables> of(const MelSettings& settings);

  const kernels::MelPlan<Real>& plan() const { return plan_; }

 private:
  void fill_transform(int64_t fft_size);
  void fill_filters(const MelSettings& settings);

  std::vector<Real> window_;
  std::vector<int32_t> places_;
  std::vector<kernels::FourierPass<Real>> passes_;
  std::vector<Real> twiddles_;
  std::vector<Real> turns_;
  std::vector<int32_t> starts_;
  std::vector<int32_t> counts_;
  std::vector<Real> weights_;
  kernels::MelPlan<Real> plan_;
};

}  // namespace musicldm::audio
