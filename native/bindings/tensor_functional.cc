// What networks are made of, as ops without state.
#include <ATen/Functions.h>

#include "bindings/tensor_arguments.h"

namespace musicldm::bindings {
namespace {

using runtime::Args;
using runtime::get_boolean;
using runtime::get_integer;
using runtime::get_integers;
using runtime::get_number;
using runtime::Value;

Value conv1d(const Args& args) {
  const auto& options = args.map(2);
  return at::conv1d(args.tensor(0), args.tensor(1), optional_tensor(options, "bias"),
                    get_integers(options, "stride"), get_integers(options, "padding"),
                    get_integers(options, "dilation"), get_integer(options, "groups"));
}

Value conv2d(const Args& args) {
  const auto& options = args.map(2);
  return at::conv2d(args.tensor(0), args.tensor(1), optional_tensor(options, "bias"),
                    get_integers(options, "stride"), get_integers(options, "padding"),
                    get_integers(options, "dilation"), get_integer(options, "groups"));
}

Value conv_transpose1d(const Args& args) {
  const auto& options = args.map(2);
  return at::conv_transpose1d(args.tensor(0), args.tensor(1), optional_tensor(options, "bias"),
                              get_integers(options, "stride"), get_integers(options, "padding"),
                              get_integers(options, "outputPadding"),
                              get_integer(options, "groups"), get_integers(options, "dilation"));
}

Value layer_norm(const Args& args) {
  const auto& options = args.map(2);
  return at::layer_norm(args.tensor(0), args.integers(1), optional_tensor(options, "weight"),
                        optional_tensor(options, "bias"), get_number(options, "eps"));
}

Value group_norm(const Args& args) {
  const auto& options = args.map(2);
  return at::group_norm(args.tensor(0), args.integer(1), optional_tensor(options, "weight"),
                        optional_tensor(options, "bias"), get_number(options, "eps"));
}

Value relu(const Args& args) { return at::relu(args.tensor(0)); }
Value silu(const Args& args) { return at::silu(args.tensor(0)); }
Value gelu(const Args& args) { return at::gelu(args.tensor(0), args.string(1)); }
Value leaky_relu(const Args& args) { return at::leaky_relu(args.tensor(0), args.number(1)); }
Value softmax(const Args& args) { return at::softmax(args.tensor(0), args.integer(1)); }
Value log_softmax(const Args& args) { return at::log_softmax(args.tensor(0), args.integer(1)); }

// x, output size of each spatial axis
Value interpolate(const Args& args) {
  const at::Tensor x = args.tensor(0);
  const auto size = args.integers(1);
  return x.dim() == 3 ? at::upsample_nearest1d(x, size) : at::upsample_nearest2d(x, size);
}

// query, key, value, { mask, isCausal, scale }
Value attention(const Args& args) {
  const auto& options = args.map(3);
  return at::scaled_dot_product_attention(
      args.tensor(0), args.tensor(1), args.tensor(2), optional_tensor(options, "mask"),
      /*dropout_p=*/0.0, get_boolean(options, "isCausal"), get_number(options, "scale"));
}

const bool registered = [] {
  runtime::add_op("tensor.conv1d", conv1d);
  runtime::add_op("tensor.conv2d", conv2d);
  runtime::add_op("tensor.conv_transpose1d", conv_transpose1d);
  runtime::add_op("tensor.layer_norm", layer_norm);
  runtime::add_op("tensor.group_norm", group_norm);
  runtime::add_op("tensor.relu", relu);
  runtime::add_op("tensor.silu", silu);
  runtime::add_op("tensor.gelu", gelu);
  runtime::add_op("tensor.leaky_relu", leaky_relu);
  runtime::add_op("tensor.softmax", softmax);
  runtime::add_op("tensor.log_softmax", log_softmax);
  runtime::add_op("tensor.interpolate", interpolate);
  runtime::add_op("tensor.attention", attention);
  return true;
}();

}  // namespace
}  // namespace musicldm::bindings
