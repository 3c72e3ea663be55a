// Parameters and buffers as named slots that hold a tensor or, on the meta device, only its shape.
#pragma once

#include <torch/nn/module.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace musicldm::nn {

using NamedTensors = std::map<std::string, at::Tensor>;

// Every parameter and buffer of the tree under its dotted name. The tensors share their identity
// with the module's own.
NamedTensors slots(const torch::nn::Module& module);

// Makes `slot` hold `value` without copying, whether or not it was filled before. Every copy of the
// slot's handle sees the change.
void fill_slot(at::Tensor& slot, const at::Tensor& value);

struct AssignOptions {
  std::string prefix;                      // only names that start so count; it is cut off
  std::vector<std::string> allowed_extra;  // names that start so may lack a slot
  std::optional<at::ScalarType> dtype;     // convert floating tensors to this
};

// Fills every slot of the tree from `tensors`, zero-copy where dtype and device already fit.
// E_CHECKPOINT lists all missing and unexpected names, wrong shapes and wrong dtypes at once;
// then nothing was changed.
void assign(torch::nn::Module& module, const NamedTensors& tensors,
            const AssignOptions& options = {});

// E_INTERNAL naming each slot that is still on the meta device.
void check_filled(const torch::nn::Module& module);

// Moves every slot; the dtype applies to floating ones only. Gradients are dropped.
void convert(torch::nn::Module& module, std::optional<at::Device> device,
             std::optional<at::ScalarType> dtype);

}  // namespace musicldm::nn
