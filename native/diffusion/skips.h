// What the way down of the UNet leaves for the way up, in whole passes and in those that go only
// part of the way.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace musicldm::diffusion {

// A stack of skips. In a whole pass each layer of the way up takes one; a pass that keeps a feature
// also stores what comes into the layer that takes skip number `branch`; a shallow pass goes down
// to that skip only, and resumes the way up at that layer with the feature of an earlier pass.
// Source: Ma et al., "DeepCache", arXiv 2312.00858, section 3.2.
class Skips {
 public:
  Skips() = default;  // of a whole pass
  static Skips keeping(int64_t branch);
  static Skips shallow(int64_t branch, const at::Tensor& feature);

  void push(const at::Tensor& skip) { skips_.push_back(skip); }
  // Whether the way down ends here.
  bool complete() const { return resumes_ && size() > branch_; }
  // Stands for all skips that a shallow pass does not make, so that there are `total`.
  void pad(int64_t total) { skips_.resize(static_cast<size_t>(total)); }

  // The skip of the next layer on the way up, undefined where a shallow pass has none. `x` is what
  // comes into that layer from below: it is kept, or becomes what was kept.
  at::Tensor pop(at::Tensor& x);
  // Size of the next skip, [T, F].
  at::IntArrayRef next_size() const { return skips_.back().sizes().slice(2); }
  const at::Tensor& feature() const { return feature_; }

 private:
  int64_t size() const { return static_cast<int64_t>(skips_.size()); }

  std::vector<at::Tensor> skips_;
  int64_t branch_ = -1;  // none
  bool resumes_ = false;
  at::Tensor feature_;
};

}  // namespace musicldm::diffusion
