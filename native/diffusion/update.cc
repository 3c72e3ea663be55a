#include "diffusion/update.h"

#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <array>
#include <string>

#include "runtime/error.h"
#include "runtime/value.h"

namespace musicldm::diffusion {
namespace {

using Tensors = std::vector<at::Tensor>;

constexpr int64_t kBlock = 512;

void check(const Tensors& tensors, const std::vector<double>& coefficients) {
  if (tensors.empty() || tensors.size() != coefficients.size()) {
    throw runtime::expected("E_ARGUMENT", "as many coefficients as tensors, at least one,",
                            "linear_combination",
                            std::to_string(coefficients.size()) + " coefficients and " +
                                std::to_string(tensors.size()) + " tensors");
  }
  for (const auto& tensor : tensors) {
    if (tensor.sizes() == tensors[0].sizes()) continue;
    throw runtime::expected(
        "E_SHAPE", "tensors of one shape", "linear_combination",
        runtime::shape_text(tensors[0].sizes()) + " and " + runtime::shape_text(tensor.sizes()));
  }
}

bool is_plain(const at::Tensor& tensor) {
  const bool needs_graph = at::GradMode::is_enabled() && tensor.requires_grad();
  return tensor.is_cpu() && tensor.scalar_type() == at::kFloat && !needs_graph;
}

using Sources = std::vector<const float*>;

// One block of the result: the accumulator stays in the first-level cache.
void combine_block(const Sources& sources, const std::vector<double>& coefficients, float* out,
                   std::pair<int64_t, int64_t> range) {
  const auto [begin, count] = range;
  std::array<double, kBlock> sum;
  std::fill_n(sum.begin(), count, 0.0);
  for (size_t k = 0; k < sources.size(); ++k) {
    const float* source = sources[k] + begin;
    const double coefficient = coefficients[k];
    for (int64_t i = 0; i < count; ++i) sum[i] += coefficient * source[i];
  }
  for (int64_t i = 0; i < count; ++i) out[begin + i] = static_cast<float>(sum[i]);
}

at::Tensor combine_plain(const Tensors& tensors, const std::vector<double>& coefficients) {
  Tensors contiguous;
  Sources sources;
  for (const auto& tensor : tensors) {
    contiguous.push_back(tensor.detach().contiguous());
    sources.push_back(contiguous.back().const_data_ptr<float>());
  }
  at::Tensor result = at::empty(tensors[0].sizes(), at::kFloat);
  float* out = result.mutable_data_ptr<float>();
  at::parallel_for(0, result.numel(), 16 * kBlock, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += kBlock) {
      combine_block(sources, coefficients, out, {i, std::min(kBlock, end - i)});
    }
  });
  return result;
}

at::Tensor combine_any(const Tensors& tensors, const std::vector<double>& coefficients) {
  at::Tensor sum;
  for (size_t k = 0; k < tensors.size(); ++k) {
    const at::Tensor term = tensors[k].to(at::kFloat).mul(coefficients[k]);
    sum = sum.defined() ? sum.add(term) : term;
  }
  return sum.to(tensors[0].scalar_type());
}

}  // namespace

at::Tensor linear_combination(const Tensors& tensors, const std::vector<double>& coefficients) {
  check(tensors, coefficients);
  const bool plain = std::all_of(tensors.begin(), tensors.end(), is_plain);
  return plain ? combine_plain(tensors, coefficients) : combine_any(tensors, coefficients);
}

}  // namespace musicldm::diffusion
