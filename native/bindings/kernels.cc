// Ops that say and choose which kernels run.
#include "kernels/cpu/dispatch.h"
#include "runtime/registry.h"

namespace musicldm::bindings {
namespace {

using runtime::Args;
using runtime::Value;

// capabilities() -> the names of the instruction sets, best first
Value capabilities(const Args&) {
  runtime::List names;
  for (const std::string& name : kernels::capabilities()) names.emplace_back(name);
  return names;
}

// capability() -> the name of the one in use
Value capability(const Args&) { return std::string(kernels::kernels().name); }

// select_capability(name)
Value select_capability(const Args& args) {
  kernels::select_capability(args.string(0));
  return Value();
}

const bool registered = [] {
  runtime::add_op("kernels.capabilities", capabilities);
  runtime::add_op("kernels.capability", capability);
  runtime::add_op("kernels.select_capability", select_capability);
  return true;
}();

}  // namespace
}  // namespace musicldm::bindings
