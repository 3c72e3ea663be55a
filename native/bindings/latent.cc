// Ops of the autoencoder and the vocoder->
#include <memory>

#include "latent/autoencoder.h"
#include "latent/vocoder.h"
#include "nn/module_handle.h"
#include "runtime/registry.h"

namespace musicldm::bindings {
namespace {

using runtime::Args;
using runtime::Map;
using runtime::Value;

Value handle(std::shared_ptr<torch::nn::Module> module, const char* type) {
  return runtime::ObjectPtr(std::make_shared<nn::ModuleHandle>(std::move(module), type));
}

Value create_autoencoder(const Args& args) {
  const Map& config = args.map(0);
  const latent::AutoencoderConfig parsed{
      .in_channels = runtime::get_integer(config, "in_channels"),
      .out_channels = runtime::get_integer(config, "out_channels"),
      .latent_channels = runtime::get_integer(config, "latent_channels"),
      .block_out_channels = runtime::get_integers(config, "block_out_channels"),
      .layers_per_block = runtime::get_integer(config, "layers_per_block"),
      .norm_num_groups = runtime::get_integer(config, "norm_num_groups"),
      .mid_block_add_attention = runtime::get_boolean(config, "mid_block_add_attention"),
      .use_quant_conv = runtime::get_boolean(config, "use_quant_conv"),
      .use_post_quant_conv = runtime::get_boolean(config, "use_post_quant_conv"),
  };
  return handle(std::make_shared<latent::AutoencoderKL>(parsed), "Autoencoder");
}

// (module, mel, { circular })
Value encode(const Args& args) {
  const auto vae = nn::module_argument<latent::AutoencoderKL>(args, 0, "an autoencoder");
  const nn::CircularTime circular(runtime::get_boolean(args.map(2), "circular"));
  return vae->encode(args.tensor(1));
}

// (module, latents, { circular })
Value decode(const Args& args) {
  const auto vae = nn::module_argument<latent::AutoencoderKL>(args, 0, "an autoencoder");
  const nn::CircularTime circular(runtime::get_boolean(args.map(2), "circular"));
  return vae->decode(args.tensor(1));
}

// (moments) -> { mean, logvar }
Value split_moments(const Args& args) {
  const latent::Posterior posterior = latent::split_moments(args.tensor(0));
  return Map{{"mean", posterior.mean}, {"logvar", posterior.logvar}};
}

// (moments, noise)
Value sample(const Args& args) { return latent::sample_posterior(args.tensor(0), args.tensor(1)); }

Value create_vocoder(const Args& args) {
  const Map& config = args.map(0);
  latent::VocoderConfig parsed{
      .model_in_dim = runtime::get_integer(config, "model_in_dim"),
      .upsample_initial_channel = runtime::get_integer(config, "upsample_initial_channel"),
      .upsample_rates = runtime::get_integers(config, "upsample_rates"),
      .upsample_kernel_sizes = runtime::get_integers(config, "upsample_kernel_sizes"),
      .resblock_kernel_sizes = runtime::get_integers(config, "resblock_kernel_sizes"),
      .resblock_dilation_sizes = {},
      .leaky_relu_slope = runtime::get_number(config, "leaky_relu_slope"),
      .initializer_range = runtime::get_number(config, "initializer_range"),
      .normalize_before = runtime::get_boolean(config, "normalize_before"),
  };
  const std::string name = "resblock_dilation_sizes";
  const Value* found = runtime::find(config, name);
  const runtime::List lists = runtime::to_list(found ? *found : Value(), name);
  for (const Value& list : lists) {
    parsed.resblock_dilation_sizes.push_back(runtime::get_integers({{name, list}}, name));
  }
  return handle(std::make_shared<latent::Vocoder>(parsed), "Vocoder");
}

// (module, log_mel, { circular })
Value vocode(const Args& args) {
  const auto vocoder = nn::module_argument<latent::Vocoder>(args, 0, "a vocoder");
  const nn::CircularTime circular(runtime::get_boolean(args.map(2), "circular"));
  return vocoder->forward(args.tensor(1));
}

const bool registered = [] {
  runtime::add_op("vae.create", create_autoencoder);
  runtime::add_op("vae.encode", encode);
  runtime::add_op("vae.decode", decode);
  runtime::add_op("vae.split_moments", split_moments);
  runtime::add_op("vae.sample", sample);
  runtime::add_op("vocoder.create", create_vocoder);
  runtime::add_op("vocoder.forward", vocode);
  return true;
}();

}  // namespace
}  // namespace musicldm::bindings
