// Numbered children of a module, under the names "0", "1", … that published keys use.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "nn/block.h"

namespace musicldm::nn {

template <class T>
class List : public Block {
 public:
  // Appends a T built from the arguments.
  template <class... Arguments>
  void emplace(Arguments&&... arguments) {
    const std::string name = std::to_string(items_.size());
    items_.push_back(child<T>(name, std::forward<Arguments>(arguments)...));
  }

  size_t size() const { return items_.size(); }
  bool empty() const { return items_.empty(); }
  T& operator[](size_t i) const { return *items_[i]; }
  auto begin() const { return items_.begin(); }  // over std::shared_ptr<T>
  auto end() const { return items_.end(); }

 private:
  std::vector<std::shared_ptr<T>> items_;
};

}  // namespace musicldm::nn
