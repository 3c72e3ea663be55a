#include "clap/logit_scales.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/exp.h>

#include <cmath>

namespace musicldm::clap {

LogitScales::LogitScales(double initial) {
  const auto meta = at::TensorOptions(at::kMeta).dtype(at::kFloat);
  weight = register_parameter("logit_scale_a", at::empty({}, meta), false);
  bias = register_parameter("logit_scale_t", at::empty({}, meta), false);
  weight_init = bias_init = {nn::Init::Kind::kConstant, std::log(initial)};
}

LogitScales::Output LogitScales::forward() const { return {at::exp(weight), at::exp(bias)}; }

void LogitScales::clamp() const {
  const at::NoGradGuard no_grad;
  for (at::Tensor scale : {weight, bias}) scale.clamp_(0, std::log(100.0));
}

}  // namespace musicldm::clap
