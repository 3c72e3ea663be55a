// Layers of CLAP's audio tower: attention in windows as an op of tensors, and single blocks as
// modules, so that each can be tested alone.
#include <memory>

#include "clap/htsat_blocks.h"
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

// (qkv [B, H, W, 3 C], bias [heads, N, N], window, shift) -> [B, H, W, C]
Value window_attention(const Args& args) {
  return clap::window_attention(args.tensor(0), args.tensor(1), {args.integer(2), args.integer(3)});
}

// create_swin({ width, heads, window, shift })
Value create_swin(const Args& args) {
  const Map& given = args.map(0);
  const auto integer = [&](const char* key) { return runtime::get_integer(given, key); };
  const clap::SwinOptions options{.width = integer("width"),
                                  .heads = integer("heads"),
                                  .windows = {integer("window"), integer("shift")}};
  return handle(std::make_shared<clap::SwinBlock>(clap::HtsatConfig{}, options), "SwinBlock");
}

// create_merging(width)
Value create_merging(const Args& args) {
  return handle(std::make_shared<clap::PatchMerging>(args.integer(0)), "PatchMerging");
}

// create_fusion(channels)
Value create_fusion(const Args& args) {
  return handle(
      std::make_shared<clap::FeatureFusion>(clap::FusionType::kAttention, args.integer(0), 4),
      "FeatureFusion");
}

// create_patches(width), with fusion
Value create_patches(const Args& args) {
  clap::HtsatConfig config;
  config.patch_embeds_hidden_size = args.integer(0);
  config.fusion = clap::FusionType::kAttention;
  return handle(std::make_shared<clap::PatchEmbed>(config), "PatchEmbed");
}

// (module, x)
template <class T>
Value forward(const Args& args) {
  return nn::module_argument<T>(args, 0, "a layer")->forward(args.tensor(1));
}

Value fusion(const Args& args) {
  const auto layer = nn::module_argument<clap::FeatureFusion>(args, 0, "a fusion");
  return layer->forward(args.tensor(1), args.tensor(2));
}

// (module, image, rows that are longer)
Value patches(const Args& args) {
  const auto layer = nn::module_argument<clap::PatchEmbed>(args, 0, "a patch embedding");
  return layer->forward(args.tensor(1), args.integers(2));
}

const bool registered = [] {
  runtime::add_op("tensor.window_attention", window_attention);
  runtime::add_op("clap_audio.create_swin", create_swin);
  runtime::add_op("clap_audio.swin", forward<clap::SwinBlock>);
  runtime::add_op("clap_audio.create_merging", create_merging);
  runtime::add_op("clap_audio.merging", forward<clap::PatchMerging>);
  runtime::add_op("clap_audio.create_fusion", create_fusion);
  runtime::add_op("clap_audio.fusion", fusion);
  runtime::add_op("clap_audio.create_patches", create_patches);
  runtime::add_op("clap_audio.patches", patches);
  return true;
}();

}  // namespace
}  // namespace musicldm::bindings
