// Ops of CLAP's text tower and of its logit scales.
#include <cmath>
#include <memory>

#include "clap/logit_scales.h"
#include "clap/text_tower.h"
#include "nn/module_handle.h"
#include "runtime/registry.h"

namespace musicldm::bindings {
namespace {

using runtime::Args;
using runtime::get_integer;
using runtime::get_number;
using runtime::Map;
using runtime::Value;

clap::BertConfig parse_bert(const Map& config, bool is_roberta) {
  clap::BertConfig parsed{
      .vocab_size = get_integer(config, "vocab_size"),
      .hidden_size = get_integer(config, "hidden_size"),
      .num_hidden_layers = get_integer(config, "num_hidden_layers"),
      .num_attention_heads = get_integer(config, "num_attention_heads"),
      .intermediate_size = get_integer(config, "intermediate_size"),
      .max_position_embeddings = get_integer(config, "max_position_embeddings"),
      .type_vocab_size = get_integer(config, "type_vocab_size"),
      .pad_token_id = get_integer(config, "pad_token_id"),
      .skips_padding = is_roberta,
      .layer_norm_eps = get_number(config, "layer_norm_eps"),
      .hidden_dropout_prob = get_number(config, "hidden_dropout_prob"),
      .attention_probs_dropout_prob = get_number(config, "attention_probs_dropout_prob"),
  };
  if (is_roberta) {
    const double factor = get_number(config, "initializer_factor");
    const auto fan = static_cast<double>(2 * parsed.hidden_size * parsed.num_hidden_layers);
    parsed.linear_std = factor / std::sqrt(fan);
    parsed.embedding_std = factor * 0.02;
  } else {
    parsed.linear_std = parsed.embedding_std = get_number(config, "initializer_range");
  }
  return parsed;
}

clap::BartConfig parse_bart(const Map& config) {
  return {
      .vocab_size = get_integer(config, "vocab_size"),
      .d_model = get_integer(config, "d_model"),
      .encoder_layers = get_integer(config, "encoder_layers"),
      .encoder_attention_heads = get_integer(config, "encoder_attention_heads"),
      .encoder_ffn_dim = get_integer(config, "encoder_ffn_dim"),
      .max_position_embeddings = get_integer(config, "max_position_embeddings"),
      .pad_token_id = get_integer(config, "pad_token_id"),
      .scale_embedding = runtime::get_boolean(config, "scale_embedding"),
      .dropout = get_number(config, "dropout"),
      .attention_dropout = get_number(config, "attention_dropout"),
      .activation_dropout = get_number(config, "activation_dropout"),
      .init_std = get_number(config, "init_std"),
  };
}

clap::ClipTextConfig parse_clip(const Map& config) {
  return {
      .vocab_size = get_integer(config, "vocab_size"),
      .context_length = get_integer(config, "context_length"),
      .width = get_integer(config, "width"),
      .heads = get_integer(config, "heads"),
      .layers = get_integer(config, "layers"),
      .quick_gelu = runtime::get_boolean(config, "quick_gelu"),
  };
}

clap::TextConfig parse_text(const Map& config) {
  clap::TextConfig parsed{
      .projection_dim = get_integer(config, "projection_dim"),
      .projection_uses_gelu = runtime::get_string(config, "projection_hidden_act") == "gelu",
  };
  const std::string& kind = runtime::get_string(config, "model_type");
  if (kind == "clap_text_model" || kind == "bert") {
    parsed.network = parse_bert(config, kind == "clap_text_model");
  } else if (kind == "bart") {
    parsed.network = parse_bart(config);
  } else if (kind == "clip_text_model") {
    parsed.network = parse_clip(config);
  } else {
    throw runtime::expected("E_ARGUMENT", "a kind of text network", "model_type", kind);
  }
  return parsed;
}

// create(config) -> module
Value create_text(const Args& args) {
  auto tower = std::make_shared<clap::TextTower>(parse_text(args.map(0)));
  return runtime::ObjectPtr(std::make_shared<nn::ModuleHandle>(std::move(tower), "TextTower"));
}

// forward(module, ids, mask or null) -> { last_hidden_state, pooler_output, text_embeds }
Value forward_text(const Args& args) {
  const auto tower = nn::module_argument<clap::TextTower>(args, 0, "a text tower");
  const auto output = tower->forward(args.tensor(1), args.has(2) ? args.tensor(2) : at::Tensor());
  return Map{{"last_hidden_state", output.last_hidden_state},
             {"pooler_output", output.pooler_output},
             {"text_embeds", output.text_embeds}};
}

// create(initial scale) -> module
Value create_scales(const Args& args) {
  auto scales = std::make_shared<clap::LogitScales>(args.number(0));
  return runtime::ObjectPtr(std::make_shared<nn::ModuleHandle>(std::move(scales), "LogitScales"));
}

// forward(module) -> { audio, text }, both []
Value forward_scales(const Args& args) {
  const auto scales = nn::module_argument<clap::LogitScales>(args, 0, "logit scales");
  const auto output = scales->forward();
  return Map{{"audio", output.audio}, {"text", output.text}};
}

// clamp(module)
Value clamp_scales(const Args& args) {
  nn::module_argument<clap::LogitScales>(args, 0, "logit scales")->clamp();
  return {};
}

const bool registered = [] {
  runtime::add_op("clap_text.create", create_text);
  runtime::add_op("clap_text.forward", forward_text);
  runtime::add_op("logit_scales.create", create_scales);
  runtime::add_op("logit_scales.forward", forward_scales);
  runtime::add_op("logit_scales.clamp", clamp_scales);
  return true;
}();

}  // namespace
}  // namespace musicldm::bindings
