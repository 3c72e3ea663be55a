#include "nn/slots.h"

#include <ATen/core/grad_mode.h>

#include "nn/layers.h"
#include "runtime/error.h"
#include "runtime/value.h"

namespace musicldm::nn {

namespace {

bool starts_with_any(const std::string& name, const std::vector<std::string>& prefixes) {
  for (const auto& prefix : prefixes) {
    if (name.starts_with(prefix)) return true;
  }
  return false;
}

// The tensors that count, by slot name.
NamedTensors without_prefix(const NamedTensors& tensors, const std::string& prefix) {
  if (prefix.empty()) return tensors;
  NamedTensors result;
  for (const auto& [name, tensor] : tensors) {
    if (name.starts_with(prefix)) result.emplace(name.substr(prefix.size()), tensor);
  }
  return result;
}

std::string mismatch(const at::Tensor& slot, const at::Tensor& value,
                     const AssignOptions& options) {
  if (slot.sizes() != value.sizes()) {
    return "expected shape " + runtime::shape_text(slot.sizes()) + " but received " +
           runtime::shape_text(value.sizes());
  }
  const bool converted = options.dtype && slot.is_floating_point() && value.is_floating_point();
  if (!converted && slot.scalar_type() != value.scalar_type()) {
    return "expected dtype " + runtime::dtype_name(slot.scalar_type()) + " but received " +
           runtime::dtype_name(value.scalar_type());
  }
  return "";
}

std::vector<std::string> complaints(const NamedTensors& expected, const NamedTensors& given,
                                    const AssignOptions& options) {
  std::vector<std::string> result;
  for (const auto& [name, slot] : expected) {
    const auto found = given.find(name);
    if (found == given.end()) {
      result.push_back(name + ": missing");
    } else if (const auto text = mismatch(slot, found->second, options); !text.empty()) {
      result.push_back(name + ": " + text);
    }
  }
  for (const auto& [name, value] : given) {
    if (!expected.contains(name) && !starts_with_any(name, options.allowed_extra)) {
      result.push_back(name + ": unexpected");
    }
  }
  return result;
}

[[noreturn]] void throw_complaints(const std::vector<std::string>& list, size_t count) {
  std::string text = "Expected tensors for the " + std::to_string(count) +
                     " parameters of the module but received " + std::to_string(list.size()) +
                     " mismatches:";
  for (const auto& line : list) text += "\n  " + line;
  throw runtime::Error("E_CHECKPOINT", text);
}

}  // namespace

NamedTensors slots(const torch::nn::Module& module) {
  NamedTensors result;
  for (const auto& item : module.named_parameters()) result.emplace(item.key(), item.value());
  for (const auto& item : module.named_buffers()) result.emplace(item.key(), item.value());
  return result;
}

void fill_slot(at::Tensor& slot, const at::Tensor& value) {
  const at::NoGradGuard no_grad;
  const at::Tensor plain = value.detach();
  if (slot.is_meta()) {
    // set_data refuses to leave the meta device; the shallow copy beneath it does not.
    slot.unsafeGetTensorImpl()->shallow_copy_from(plain.getIntrusivePtr());
  } else {
    slot.set_data(plain);
  }
}

void assign(torch::nn::Module& module, const NamedTensors& tensors, const AssignOptions& options) {
  NamedTensors expected = slots(module);
  const NamedTensors given = without_prefix(tensors, options.prefix);
  const auto list = complaints(expected, given, options);
  if (!list.empty()) throw_complaints(list, expected.size());
  for (auto& [name, slot] : expected) {
    const at::Tensor& value = given.at(name);
    const bool converted = options.dtype && value.is_floating_point();
    fill_slot(slot, converted ? value.to(*options.dtype) : value);
  }
  drop_packed(module);
}

void check_filled(const torch::nn::Module& module) {
  std::string names;
  for (const auto& [name, slot] : slots(module)) {
    if (slot.is_meta()) names += (names.empty() ? "" : ", ") + name;
  }
  if (names.empty()) return;
  throw runtime::Error("E_INTERNAL",
                       "Expected a value for each parameter but received none for " + names);
}

void convert(torch::nn::Module& module, std::optional<at::Device> device,
             std::optional<at::ScalarType> dtype) {
  check_filled(module);
  drop_packed(module);
  for (auto& [name, slot] : slots(module)) {
    auto options = slot.options();
    if (device) options = options.device(*device);
    if (dtype && slot.is_floating_point()) options = options.dtype(*dtype);
    at::Tensor handle = slot;
    fill_slot(handle, slot.detach().to(options.device(), options.dtype().toScalarType()));
    handle.mutable_grad() = at::Tensor();
  }
}

}  // namespace musicldm::nn
