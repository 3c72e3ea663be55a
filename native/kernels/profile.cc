#include "kernels/profile.h"

namespace musicldm::kernels {

std::array<OperatorTotal, kOperatorNames.size()>& operator_totals() {
  static std::array<OperatorTotal, kOperatorNames.size()> totals;
  return totals;
}

}  // namespace musicldm::kernels
