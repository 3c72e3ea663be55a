#include "diffusion/skips.h"

#include <string>
#include <utility>

#include "runtime/error.h"
#include "runtime/value.h"

namespace musicldm::diffusion {

Skips Skips::keeping(int64_t branch) {
  Skips skips;
  skips.branch_ = branch;
  return skips;
}

Skips Skips::shallow(int64_t branch, const at::Tensor& feature) {
  Skips skips = keeping(branch);
  skips.resumes_ = true;
  skips.feature_ = feature;
  return skips;
}

at::Tensor Skips::pop(at::Tensor& x) {
  at::Tensor skip = std::move(skips_.back());
  skips_.pop_back();
  if (size() != branch_) return skip;
  if (!resumes_) {
    feature_ = x.detach();
  } else {
    if (feature_.sizes().slice(2) != skip.sizes().slice(2)) {
      const std::vector<int64_t> wanted{skip.size(0), feature_.size(1), skip.size(2), skip.size(3)};
      throw runtime::expected("E_SHAPE", runtime::shape_text(wanted), "feature",
                              runtime::shape_text(feature_.sizes()));
    }
    x = feature_;
  }
  return skip;
}

}  // namespace musicldm::diffusion
