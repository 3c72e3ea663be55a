// Ops of CLAP's audio tower.
#include <memory>

#include "clap/audio_tower.h"
#include "clap/htsat.h"
#include "clap/pann.h"
#include "nn/module_handle.h"
#include "runtime/registry.h"

namespace musicldm::bindings {
namespace {

using clap::FusionType;
using runtime::Args;
using runtime::Map;
using runtime::Value;

FusionType parse_fusion(const Map& config) {
  if (!runtime::get_boolean(config, "enable_fusion")) return FusionType::kNone;
  if (!runtime::find(config, "fusion_type")) return FusionType::kAttention;
  const std::string& name = runtime::get_string(config, "fusion_type");
  if (name == "channel_map") return FusionType::kChannelMap;
  if (name == "daf_2d") return FusionType::kAdd;
  if (name == "aff_2d") return FusionType::kAttention;
  if (name == "iaff_2d") return FusionType::kIterated;
  throw runtime::expected("E_CONFIG", "channel_map, daf_2d, aff_2d or iaff_2d", "fusion_type",
                          name);
}

clap::HtsatConfig parse_htsat(const Map& config) {
  const auto integer = [&](const char* key) { return runtime::get_integer(config, key); };
  const auto number = [&](const char* key) { return runtime::get_number(config, key); };
  const std::vector<int64_t> patch = runtime::get_integers(config, "patch_size");
  return {
      .window_size = integer("window_size"),
      .num_mel_bins = integer("num_mel_bins"),
      .spec_size = integer("spec_size"),
      .patch_size = {patch.at(0), patch.at(1)},
      .patch_embed_input_channels = integer("patch_embed_input_channels"),
      .patch_embeds_hidden_size = integer("patch_embeds_hidden_size"),
      .depths = runtime::get_integers(config, "depths"),
      .num_attention_heads = runtime::get_integers(config, "num_attention_heads"),
      .mlp_ratio = number("mlp_ratio"),
      .layer_norm_eps = number("layer_norm_eps"),
      .fusion = parse_fusion(config),
      .aff_block_r = integer("aff_block_r"),
      .hidden_dropout_prob = number("hidden_dropout_prob"),
      .attention_probs_dropout_prob = number("attention_probs_dropout_prob"),
      .drop_path_rate = number("drop_path_rate"),
      .num_hidden_layers = integer("num_hidden_layers"),
      .initializer_factor = number("initializer_factor"),
  };
}

clap::PannConfig parse_pann(const Map& config) {
  const std::string& arch = runtime::get_string(config, "arch");
  clap::PannConfig parsed;
  parsed.num_mel_bins = runtime::get_integer(config, "num_mel_bins");
  parsed.fusion = parse_fusion(config);
  parsed.unpooled_from = 5;
  if (arch == "cnn14") {
    parsed.widths = {64, 128, 256, 512, 1024, 2048};
  } else if (arch == "cnn10") {
    parsed.widths = {64, 128, 256, 512, 1024};
  } else {
    parsed.widths = {64, 128, 256, 512};
    parsed.kernel = 5;
  }
  return parsed;
}

std::shared_ptr<clap::AudioEncoder> create_encoder(const Map& config) {
  if (runtime::get_string(config, "model_type") == "pann") {
    return std::make_shared<clap::Pann>(parse_pann(config));
  }
  return std::make_shared<clap::Htsat>(parse_htsat(config));
}

// create(config) -> module; patch_size has two entries
Value create_audio(const Args& args) {
  const Map& config = args.map(0);
  const bool uses_gelu = runtime::get_string(config, "projection_hidden_act") == "gelu";
  const auto tower = std::make_shared<clap::AudioTower>(
      create_encoder(config), runtime::get_integer(config, "projection_dim"), uses_gelu);
  return runtime::ObjectPtr(std::make_shared<nn::ModuleHandle>(tower, "AudioTower"));
}

// forward(module, features, is_longer or null) -> { last_hidden_state, pooler_output, audio_embeds
// }
Value forward_audio(const Args& args) {
  const auto tower = nn::module_argument<clap::AudioTower>(args, 0, "an audio tower");
  std::vector<bool> is_longer;
  if (args.has(2)) {
    for (const Value& flag : args.list(2))
      is_longer.push_back(runtime::to_boolean(flag, "isLonger"));
  }
  const auto output = tower->forward(args.tensor(1), is_longer);
  return Map{{"last_hidden_state", output.last_hidden_state},
             {"pooler_output", output.pooler_output},
             {"audio_embeds", output.audio_embeds}};
}

const bool registered = [] {
  runtime::add_op("clap_audio.create", create_audio);
  runtime::add_op("clap_audio.forward", forward_audio);
  return true;
}();

}  // namespace
}  // namespace musicldm::bindings
