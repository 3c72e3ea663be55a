#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty_like.h>

#include "nn/layers.h"
#include "nn/slots.h"

namespace musicldm::nn {

namespace {

void draw(at::Tensor& slot, const Init& init, const at::Generator& generator) {
  at::Tensor values = at::empty_like(slot, slot.options().device(at::kCPU));
  switch (init.kind) {
    case Init::Kind::kUniform:
      values.uniform_(-init.value, init.value, generator);
      break;
    case Init::Kind::kNormal:
      values.normal_(0.0, init.value, generator);
      break;
    case Init::Kind::kConstant:
      values.fill_(init.value);
      break;
  }
  fill_slot(slot, slot.is_meta() ? values : values.to(slot.device()));
}

}  // namespace

void Layer::initialise(const at::Generator& generator) {
  draw(weight, weight_init, generator);
  if (bias.defined()) draw(bias, bias_init, generator);
}

void Embedding::initialise(const at::Generator& generator) {
  Layer::initialise(generator);
  if (padding_index_ < 0) return;
  const at::NoGradGuard no_grad;
  weight.select(0, padding_index_).zero_();
}

void BatchNorm::initialise(const at::Generator& generator) {
  Layer::initialise(generator);
  draw(running_mean, {Init::Kind::kConstant, 0}, generator);
  draw(running_var, {Init::Kind::kConstant, 1}, generator);
  draw(num_batches_tracked, {Init::Kind::kConstant, 0}, generator);
}

void initialise(torch::nn::Module& root, uint64_t seed) {
  const auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  root.apply([&](torch::nn::Module& module) {
    if (auto* layer = dynamic_cast<Layer*>(&module)) layer->initialise(generator);
  });
  drop_packed(root);
  check_filled(root);
}

void drop_packed(torch::nn::Module& root) {
  root.apply([](torch::nn::Module& module) {
    if (auto* layer = dynamic_cast<Layer*>(&module)) layer->drop_packed();
  });
}

}  // namespace musicldm::nn
