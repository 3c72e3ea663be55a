// Single layers as modules, so that each can be measured and tested alone.
#include <memory>

#include "nn/layers.h"
#include "nn/module_handle.h"
#include "runtime/registry.h"

namespace musicldm::bindings {
namespace {

using runtime::Args;
using runtime::Map;
using runtime::Value;

// create_conv2d({ inChannels, outChannels, kernel, stride, padding }); weights and bias
Value create_conv2d(const Args& args) {
  const Map& given = args.map(0);
  const nn::Conv2dOptions options{
      .in_channels = runtime::get_integer(given, "inChannels"),
      .out_channels = runtime::get_integer(given, "outChannels"),
      .kernel = runtime::get_integer(given, "kernel"),
      .stride = runtime::get_integer(given, "stride"),
      .padding = nn::Padding2d::same(runtime::get_integer(given, "padding")),
  };
  return runtime::ObjectPtr(new nn::ModuleHandle(std::make_shared<nn::Conv2d>(options), "Conv2d"));
}

// conv2d(module, x [B, C, T, F]) -> [B, C', T', F']
Value conv2d(const Args& args) {
  return nn::module_argument<nn::Conv2d>(args, 0, "a convolution")->forward(args.tensor(1));
}

const bool registered = [] {
  runtime::add_op("layer.create_conv2d", create_conv2d);
  runtime::add_op("layer.conv2d", conv2d);
  return true;
}();

}  // namespace
}  // namespace musicldm::bindings
