#include "clap/projection.h"

#include <ATen/ops/gelu.h>
#include <ATen/ops/relu.h>

namespace musicldm::clap {

Projection::Projection(int64_t in_width, int64_t out_width, bool uses_gelu)
    : uses_gelu_(uses_gelu),
      linear1_(child<nn::Linear>("linear1", in_width, out_width)),
      linear2_(child<nn::Linear>("linear2", out_width, out_width)) {}

at::Tensor Projection::forward(const at::Tensor& x) const {
  const at::Tensor hidden = linear1_->forward(x);
  return linear2_->forward(uses_gelu_ ? at::gelu(hidden) : at::relu(hidden));
}

}  // namespace musicldm::clap
