// Ops on any module: parameters in and out, mode, place.
#include <torch/nn/module.h>

#include <optional>
#include <string>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "nn/dropout.h"
#include "nn/layers.h"
#include "nn/module_handle.h"
#include "nn/slots.h"
#include "runtime/registry.h"

namespace musicldm::bindings {
namespace {

using nn::ModuleHandle;
using nn::NamedTensors;
using runtime::Args;
using runtime::Map;
using runtime::Value;

std::optional<at::ScalarType> optional_dtype(const Map& options) {
  if (!runtime::find(options, "dtype")) return std::nullopt;
  return runtime::parse_dtype(runtime::get_string(options, "dtype"));
}

nn::Packing parse_packing(const std::string& name) {
  if (name == "none") return nn::Packing::kNone;
  if (name == "compact") return nn::Packing::kCompact;
  if (name == "fast") return nn::Packing::kFast;
  throw runtime::expected("E_ARGUMENT", "none, compact or fast", "the packing", name);
}

NamedTensors read_tensors(const Map& map) {
  NamedTensors result;
  for (const auto& [name, value] : map) {
    result.emplace(name, runtime::to_tensor(value, "tensor \"" + name + "\""));
  }
  return result;
}

// parameters(module) -> { name: { shape, dtype } }
Value parameters(const Args& args) {
  Map result;
  for (const auto& [name, slot] : nn::slots(args.object<ModuleHandle>(0)->module())) {
    runtime::List shape(slot.sizes().begin(), slot.sizes().end());
    result.emplace(
        name, Map{{"shape", std::move(shape)}, {"dtype", runtime::dtype_name(slot.scalar_type())}});
  }
  return result;
}

// load(module, checkpoint | { name: Tensor }, { prefix?, allowedExtra?, dtype? })
Value load(const Args& args) {
  const auto handle = args.object<ModuleHandle>(0);
  const Map& given = args.map(2);
  nn::AssignOptions options;
  if (runtime::find(given, "prefix")) options.prefix = runtime::get_string(given, "prefix");
  if (runtime::find(given, "allowedExtra")) {
    options.allowed_extra = runtime::get_strings(given, "allowedExtra");
  }
  options.dtype = optional_dtype(given);
  const bool is_map = std::holds_alternative<Map>(args.at(1).data);
  const auto tensors =
      is_map ? read_tensors(args.map(1)) : args.object<checkpoint::Checkpoint>(1)->tensors();
  nn::assign(handle->module(), tensors, options);
  handle->set_filled();
  return Value();
}

// initialise(module, seed)
Value initialise(const Args& args) {
  const auto handle = args.object<ModuleHandle>(0);
  nn::initialise(handle->module(), static_cast<uint64_t>(args.integer(1)));
  handle->set_filled();
  return Value();
}

// train(module, whether)
Value train(const Args& args) {
  args.object<ModuleHandle>(0)->module().train(args.boolean(1));
  return Value();
}

// pack(module, "none" | "compact" | "fast")
Value pack(const Args& args) {
  const auto handle = args.object<ModuleHandle>(0);
  handle->set_packing(parse_packing(args.string(1)));
  nn::drop_packed(handle->module());
  return Value();
}

// seed_dropout(module, seed)
Value seed_dropout(const Args& args) {
  nn::seed_dropout(args.object<ModuleHandle>(0)->module(), static_cast<uint64_t>(args.integer(1)));
  return Value();
}

// requires_grad(module, whether)
Value requires_grad(const Args& args) {
  const auto handle = args.object<ModuleHandle>(0);
  for (auto& parameter : handle->module().parameters()) {
    parameter.set_requires_grad(args.boolean(1));
  }
  return Value();
}

// to(module, { device?, dtype? })
Value to(const Args& args) {
  const auto handle = args.object<ModuleHandle>(0);
  const Map& options = args.map(1);
  std::optional<at::Device> device;
  if (runtime::find(options, "device")) device = at::Device(runtime::get_string(options, "device"));
  nn::convert(handle->module(), device, optional_dtype(options));
  if (device) handle->set_device(*device);
  return Value();
}

// state(module) -> { name: Tensor }, sharing the module's memory
Value state(const Args& args) {
  Map result;
  const auto handle = args.object<ModuleHandle>(0);
  nn::check_filled(handle->module());
  for (const auto& [name, slot] : nn::slots(handle->module())) result.emplace(name, slot.detach());
  return result;
}

// grads(module) -> { name: Tensor } of the parameters that have one
Value grads(const Args& args) {
  Map result;
  for (const auto& item : args.object<ModuleHandle>(0)->module().named_parameters()) {
    if (item.value().grad().defined()) result.emplace(item.key(), item.value().grad());
  }
  return result;
}

const bool registered = [] {
  runtime::add_op("module.parameters", parameters);
  runtime::add_op("module.load", load);
  runtime::add_op("module.initialise", initialise);
  runtime::add_op("module.train", train);
  runtime::add_op("module.pack", pack);
  runtime::add_op("module.seed_dropout", seed_dropout);
  runtime::add_op("module.requires_grad", requires_grad);
  runtime::add_op("module.to", to);
  runtime::add_op("module.state", state);
  runtime::add_op("module.grads", grads);
  return true;
}();

}  // namespace
}  // namespace musicldm::bindings
