#include "runtime/registry.h"

#include <stdexcept>
#include <unordered_map>

#include "runtime/error.h"

namespace musicldm::runtime {
namespace {

std::unordered_map<std::string, Op>& table() {
  static std::unordered_map<std::string, Op> ops;
  return ops;
}

}  // namespace

void add_op(const std::string& name, Op op) {
  if (!table().emplace(name, std::move(op)).second) {
    throw std::logic_error("The op " + name + " is registered twice");
  }
}

const Op& find_op(const std::string& name) {
  const auto entry = table().find(name);
  if (entry == table().end()) throw Error("E_INTERNAL", "The addon has no op " + name);
  return entry->second;
}

}  // namespace musicldm::runtime
