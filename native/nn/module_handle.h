// A module as JavaScript holds it.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "nn/slots.h"
#include "runtime/error.h"
#include "runtime/value.h"

namespace musicldm::nn {

class ModuleHandle : public runtime::Object {
 public:
  ModuleHandle(std::shared_ptr<torch::nn::Module> module, std::string type)
      : module_(std::move(module)), type_(std::move(type)) {}

  torch::nn::Module& module() const { return *module_; }
  std::string type() const override { return type_; }

  // The size of all slots, whether or not they are filled yet.
  int64_t bytes() const override {
    int64_t total = 0;
    for (const auto& [name, slot] : slots(*module_)) total += static_cast<int64_t>(slot.nbytes());
    return total;
  }

  at::Device device() const override {
    const auto all = slots(*module_);
    const bool filled = !all.empty() && !all.begin()->second.is_meta();
    return filled ? all.begin()->second.device() : at::Device(at::kCPU);
  }

 private:
  std::shared_ptr<torch::nn::Module> module_;
  std::string type_;
};

// The module of argument i, which has to be a T. E_ARGUMENT for another kind.
template <class T>
T& module_argument(const runtime::Args& args, size_t i, const std::string& name) {
  const auto handle = args.object<ModuleHandle>(i);
  auto* module = dynamic_cast<T*>(&handle->module());
  if (!module) throw runtime::expected("E_ARGUMENT", "a module", name, handle->type());
  return *module;
}

}  // namespace musicldm::nn
