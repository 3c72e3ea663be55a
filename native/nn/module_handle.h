// A module as JavaScript holds it.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "nn/packing.h"
#include "nn/slots.h"
#include "runtime/error.h"
#include "runtime/value.h"

namespace musicldm::nn {

class ModuleHandle : public runtime::Object {
 public:
  ModuleHandle(std::shared_ptr<torch::nn::Module> module, std::string type)
      : module_(std::move(module)), type_(std::move(type)) {
    module_->eval();  // libtorch starts in training
  }

  torch::nn::Module& module() const { return *module_; }
  std::string type() const override { return type_; }

  // The size of all slots, whether or not they are filled yet.
  int64_t bytes() const override {
    int64_t total = 0;
    for (const auto& [name, slot] : slots(*module_)) total += static_cast<int64_t>(slot.nbytes());
    return total;
  }

  // Where the slots are; decides which executor runs the calls on this module.
  at::Device device() const override { return device_; }
  void set_device(at::Device device) { device_ = device; }

  // Whether inference may use packed weights; not unless it is asked for.
  Packing packing() const { return packing_; }
  void set_packing(Packing packing) { packing_ = packing; }

  // Whether the parameters have values; a forward needs them.
  bool filled() const { return filled_; }
  void set_filled() { filled_ = true; }

 private:
  std::shared_ptr<torch::nn::Module> module_;
  std::string type_;
  std::atomic<at::Device> device_ = at::Device(at::kCPU);
  std::atomic<bool> filled_ = false;
  std::atomic<Packing> packing_ = Packing::kNone;
};

// A module while an op works with it, under its policy of packing.
template <class T>
class ModuleUse {
 public:
  ModuleUse(const T& module, Packing packing) : module_(module), scope_(packing) {}
  const T* operator->() const { return &module_; }
  const T& operator*() const { return module_; }

 private:
  const T& module_;
  PackingScope scope_;
};

// The module of argument i, which has to be a T with parameters. E_ARGUMENT for another kind or
// before `module.load` and `module.initialise`.
template <class T>
ModuleUse<T> module_argument(const runtime::Args& args, size_t i, const std::string& name) {
  const auto handle = args.object<ModuleHandle>(i);
  auto* module = dynamic_cast<T*>(&handle->module());
  if (!module || !handle->filled()) {
    throw runtime::expected("E_ARGUMENT", "a module that has its parameters", name,
                            module ? "one without" : "a " + handle->type());
  }
  return ModuleUse<T>(*module, handle->packing());
}

}  // namespace musicldm::nn
