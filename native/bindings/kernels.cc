// Ops that say and choose which kernels run.
#include "kernels/cpu/conv2d.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/profile.h"
#include "runtime/registry.h"

namespace musicldm::bindings {
namespace {

using runtime::Args;
using runtime::Map;
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

// profile() -> { operator: { calls, seconds } } since the start or the last reset_profile
Value profile(const Args&) {
  Map result;
  for (size_t i = 0; i < kernels::kOperatorNames.size(); ++i) {
    const kernels::OperatorTotal& total = kernels::operator_totals()[i];
    result.emplace(kernels::kOperatorNames[i],
                   Map{{"calls", static_cast<double>(total.calls)},
                       {"seconds", static_cast<double>(total.nanoseconds) * 1e-9}});
  }
  return result;
}

// reset_profile()
Value reset_profile(const Args&) {
  for (kernels::OperatorTotal& total : kernels::operator_totals()) {
    total.calls = 0;
    total.nanoseconds = 0;
  }
  return Value();
}

// algorithm({ batch, height, width, in_channels, out_channels, kernel, stride }, compact) -> the
// name of the one that a 2-D convolution to an output of that size would run
Value algorithm(const Args& args) {
  const Map& map = args.map(0);
  const auto integer = [&](const char* key) { return runtime::get_integer(map, key); };
  const kernels::ConvShape shape{
      .batch = integer("batch"),
      .height = integer("height"),
      .width = integer("width"),
      .in_channels = integer("in_channels"),
      .out_channels = integer("out_channels"),
      .kernel = {integer("kernel"), integer("kernel"), integer("stride")}};
  switch (kernels::choose_algorithm(kernels::kernels(), shape, args.boolean(1))) {
    case kernels::ConvAlgorithm::kWinograd4x4:
      return std::string("winograd 4x4");
    case kernels::ConvAlgorithm::kWinograd4x2:
      return std::string("winograd 4x2");
    case kernels::ConvAlgorithm::kWinograd2x2:
      return std::string("winograd 2x2");
    default:
      return std::string("direct");
  }
}

const bool registered = [] {
  runtime::add_op("kernels.capabilities", capabilities);
  runtime::add_op("kernels.capability", capability);
  runtime::add_op("kernels.select_capability", select_capability);
  runtime::add_op("kernels.algorithm", algorithm);
  runtime::add_op("kernels.profile", profile);
  runtime::add_op("kernels.reset_profile", reset_profile);
  return true;
}();

}  // namespace
}  // namespace musicldm::bindings
