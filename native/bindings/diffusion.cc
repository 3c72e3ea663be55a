// Ops of the UNet and of its blocks.
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/tensor.h>

#include <memory>
#include <string>
#include <vector>

#include "diffusion/unet.h"
#include "nn/module_handle.h"
#include "runtime/registry.h"

namespace musicldm::bindings {
namespace {

using diffusion::UNet;
using diffusion::UNetConfig;
using runtime::Args;
using runtime::Map;
using runtime::Value;

Value handle(std::shared_ptr<torch::nn::Module> module, const char* type) {
  return runtime::ObjectPtr(std::make_shared<nn::ModuleHandle>(std::move(module), type));
}

// Which of the listed block types have attention.
std::vector<bool> attention_of(const Map& config, const std::string& key, const char* direction) {
  const std::string plain = std::string(direction) + "Block2D";
  std::vector<bool> result;
  for (const std::string& name : runtime::get_strings(config, key)) {
    if (name != plain && name != "CrossAttn" + plain) {
      throw runtime::expected("E_CONFIG", plain + " or CrossAttn" + plain, key, name);
    }
    result.push_back(name != plain);
  }
  return result;
}

UNetConfig parse_config(const Map& config) {
  const auto integer = [&](const char* key) { return runtime::get_integer(config, key); };
  const auto integers = [&](const char* key) { return runtime::get_integers(config, key); };
  const auto boolean = [&](const char* key) { return runtime::get_boolean(config, key); };
  return {
      .in_channels = integer("in_channels"),
      .out_channels = integer("out_channels"),
      .block_out_channels = integers("block_out_channels"),
      .layers_per_block = integers("layers_per_block"),
      .transformer_layers_per_block = integers("transformer_layers_per_block"),
      .attention_heads = integers("attention_heads"),
      .cross_attention_dim = integers("cross_attention_dim"),
      .down_attention = attention_of(config, "down_block_types", "Down"),
      .up_attention = attention_of(config, "up_block_types", "Up"),
      .norm_num_groups = integer("norm_num_groups"),
      .norm_eps = runtime::get_number(config, "norm_eps"),
      .class_labels_width = integer("projection_class_embeddings_input_dim"),
      .class_embeddings_concat = boolean("class_embeddings_concat"),
      .flip_sin_to_cos = boolean("flip_sin_to_cos"),
      .freq_shift = runtime::get_number(config, "freq_shift"),
      .downsample_padding = integer("downsample_padding"),
      .use_linear_projection = boolean("use_linear_projection"),
  };
}

// A timestep, a list or a tensor of them, as float32 [N] on the device of `like`.
at::Tensor read_timesteps(const Args& args, size_t i, const at::Tensor& like) {
  const auto& data = args.at(i).data;
  const auto* tensor = std::get_if<at::Tensor>(&data);
  const bool is_list = std::holds_alternative<runtime::List>(data);
  const at::Tensor timesteps = tensor    ? *tensor
                               : is_list ? at::tensor(args.numbers(i), at::kFloat)
                                         : at::scalar_tensor(args.number(i), at::kFloat);
  const bool is_scalar = timesteps.dim() == 0;
  return (is_scalar ? timesteps.unsqueeze(0) : timesteps).to(like.device(), at::kFloat);
}

// create(config) -> module; lists have one entry per level
Value create_unet(const Args& args) {
  return handle(std::make_shared<UNet>(parse_config(args.map(0))), "UNet");
}

// forward(module, latents, timestep | timesteps, class labels, { circular }) -> prediction
Value forward_unet(const Args& args) {
  const auto unet = nn::module_argument<UNet>(args, 0, "a UNet");
  const nn::CircularTime circular(runtime::get_boolean(args.map(4), "circular"));
  const at::Tensor latents = args.tensor(1);
  return unet->forward(latents, read_timesteps(args, 2, latents), args.tensor(3));
}

// condition(module, [timestep], class labels) -> [timesteps, B, embedding width]
Value condition_unet(const Args& args) {
  const auto unet = nn::module_argument<UNet>(args, 0, "a UNet");
  const at::Tensor labels = args.tensor(2);
  return unet->condition(read_timesteps(args, 1, labels), labels);
}

// predict(module, latents, conditioning, { circular }) -> prediction
Value predict_unet(const Args& args) {
  const auto unet = nn::module_argument<UNet>(args, 0, "a UNet");
  const nn::CircularTime circular(runtime::get_boolean(args.map(3), "circular"));
  return unet->predict(args.tensor(1), args.tensor(2));
}

// predict_keeping(module, latents, conditioning, { circular }, branch) -> { prediction, feature }
Value predict_keeping(const Args& args) {
  const auto unet = nn::module_argument<UNet>(args, 0, "a UNet");
  const nn::CircularTime circular(runtime::get_boolean(args.map(3), "circular"));
  diffusion::DeepFeature feature{args.integer(4), {}};
  const at::Tensor prediction = unet->predict_keeping(args.tensor(1), args.tensor(2), feature);
  return Map{{"prediction", prediction}, {"feature", feature.tensor}};
}

// predict_shallow(module, latents, conditioning, { circular }, branch, feature) -> prediction
Value predict_shallow(const Args& args) {
  const auto unet = nn::module_argument<UNet>(args, 0, "a UNet");
  const nn::CircularTime circular(runtime::get_boolean(args.map(3), "circular"));
  const diffusion::DeepFeature feature{args.integer(4), args.tensor(5)};
  return unet->predict_shallow(args.tensor(1), args.tensor(2), feature);
}

Value create_resnet(const Args& args) {
  const Map& config = args.map(0);
  const nn::ResnetOptions options{
      .in_channels = runtime::get_integer(config, "in_channels"),
      .out_channels = runtime::get_integer(config, "out_channels"),
      .embedding_channels = runtime::get_integer(config, "embedding_channels"),
      .groups = runtime::get_integer(config, "groups"),
      .eps = runtime::get_number(config, "eps"),
  };
  return handle(std::make_shared<nn::ResnetBlock>(options), "ResnetBlock");
}

// (module, x, conditioning vector or null, skip or null)
Value forward_resnet(const Args& args) {
  const auto block = nn::module_argument<nn::ResnetBlock>(args, 0, "a residual block");
  return block->forward(args.tensor(1), args.has(2) ? at::silu(args.tensor(2)) : at::Tensor(),
                        args.has(3) ? args.tensor(3) : at::Tensor());
}

Value create_transformer(const Args& args) {
  const Map& config = args.map(0);
  const diffusion::TransformerOptions options{
      .channels = runtime::get_integer(config, "channels"),
      .heads = runtime::get_integer(config, "heads"),
      .layers = runtime::get_integer(config, "layers"),
      .groups = runtime::get_integer(config, "groups"),
      .second_attention = runtime::get_boolean(config, "second_attention"),
      .linear_projection = runtime::get_boolean(config, "linear_projection"),
  };
  return handle(std::make_shared<diffusion::Transformer2d>(options), "Transformer2d");
}

Value forward_transformer(const Args& args) {
  const auto block = nn::module_argument<diffusion::Transformer2d>(args, 0, "a transformer");
  return block->forward(args.tensor(1));
}

// (channels, padding)
Value create_downsample(const Args& args) {
  return handle(std::make_shared<diffusion::Downsample>(args.integer(0), args.integer(1)),
                "Downsample");
}

// (module, x, { circular })
Value forward_downsample(const Args& args) {
  const auto block = nn::module_argument<diffusion::Downsample>(args, 0, "a downsampling block");
  const nn::CircularTime circular(runtime::get_boolean(args.map(2), "circular"));
  return block->forward(args.tensor(1));
}

Value create_upsample(const Args& args) {
  return handle(std::make_shared<diffusion::Upsample>(args.integer(0)), "Upsample");
}

// (module, x, [T, F], { circular })
Value forward_upsample(const Args& args) {
  const auto block = nn::module_argument<diffusion::Upsample>(args, 0, "an upsampling block");
  const nn::CircularTime circular(runtime::get_boolean(args.map(3), "circular"));
  return block->forward(args.tensor(1), args.integers(2));
}

// (timesteps, width, cosines first, frequency shift)
Value sinusoid(const Args& args) {
  return diffusion::timestep_sinusoid(args.tensor(0), args.integer(1), args.boolean(2),
                                      args.number(3));
}

// (width in, width)
Value create_time_embedding(const Args& args) {
  return handle(std::make_shared<diffusion::TimestepEmbedding>(args.integer(0), args.integer(1)),
                "TimestepEmbedding");
}

Value forward_time_embedding(const Args& args) {
  const auto block =
      nn::module_argument<diffusion::TimestepEmbedding>(args, 0, "a timestep embedding");
  return block->forward(args.tensor(1));
}

const bool registered = [] {
  runtime::add_op("unet.create", create_unet);
  runtime::add_op("unet.forward", forward_unet);
  runtime::add_op("unet.condition", condition_unet);
  runtime::add_op("unet.predict", predict_unet);
  runtime::add_op("unet.predict_keeping", predict_keeping);
  runtime::add_op("unet.predict_shallow", predict_shallow);
  runtime::add_op("unet.create_resnet", create_resnet);
  runtime::add_op("unet.resnet", forward_resnet);
  runtime::add_op("unet.create_transformer", create_transformer);
  runtime::add_op("unet.transformer", forward_transformer);
  runtime::add_op("unet.create_downsample", create_downsample);
  runtime::add_op("unet.downsample", forward_downsample);
  runtime::add_op("unet.create_upsample", create_upsample);
  runtime::add_op("unet.upsample", forward_upsample);
  runtime::add_op("unet.sinusoid", sinusoid);
  runtime::add_op("unet.create_time_embedding", create_time_embedding);
  runtime::add_op("unet.time_embedding", forward_time_embedding);
  return true;
}();

}  // namespace
}  // namespace musicldm::bindings
