// The base of every module that is built of other modules.
#pragma once

#include <torch/nn/module.h>

#include <memory>
#include <string>
#include <utility>

namespace musicldm::nn {

class Block : public torch::nn::Module {
 protected:
  // Builds a T from the arguments and registers it under its published name.
  template <class T, class... Arguments>
  std::shared_ptr<T> child(const std::string& name, Arguments&&... arguments) {
    return register_module(name, std::make_shared<T>(std::forward<Arguments>(arguments)...));
  }
};

}  // namespace musicldm::nn
