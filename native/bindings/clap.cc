// Ops of CLAP's text tower->
#include <memory>

#include "clap/text_tower.h"
#include "nn/module_handle.h"
#include "runtime/registry.h"

namespace musicldm::bindings {
namespace {

using runtime::Args;
using runtime::Map;
using runtime::Value;

// create(config) -> module
Value create_text(const Args& args) {
  const Map& config = args.map(0);
  const auto integer = [&](const char* key) { return runtime::get_integer(config, key); };
  const clap::TextConfig parsed{
      .vocab_size = integer("vocab_size"),
      .hidden_size = integer("hidden_size"),
      .num_hidden_layers = integer("num_hidden_layers"),
      .num_attention_heads = integer("num_attention_heads"),
      .intermediate_size = integer("intermediate_size"),
      .max_position_embeddings = integer("max_position_embeddings"),
      .type_vocab_size = integer("type_vocab_size"),
      .projection_dim = integer("projection_dim"),
      .projection_uses_gelu = runtime::get_string(config, "projection_hidden_act") == "gelu",
      .pad_token_id = integer("pad_token_id"),
      .layer_norm_eps = runtime::get_number(config, "layer_norm_eps"),
      .initializer_factor = runtime::get_number(config, "initializer_factor"),
      .hidden_dropout_prob = runtime::get_number(config, "hidden_dropout_prob"),
      .attention_probs_dropout_prob = runtime::get_number(config, "attention_probs_dropout_prob"),
  };
  return runtime::ObjectPtr(
      std::make_shared<nn::ModuleHandle>(std::make_shared<clap::TextTower>(parsed), "TextTower"));
}

// forward(module, ids, mask or null) -> { last_hidden_state, pooler_output, text_embeds }
Value forward_text(const Args& args) {
  const auto tower = nn::module_argument<clap::TextTower>(args, 0, "a text tower");
  const auto output = tower->forward(args.tensor(1), args.has(2) ? args.tensor(2) : at::Tensor());
  return Map{{"last_hidden_state", output.last_hidden_state},
             {"pooler_output", output.pooler_output},
             {"text_embeds", output.text_embeds}};
}

const bool registered = [] {
  runtime::add_op("clap_text.create", create_text);
  runtime::add_op("clap_text.forward", forward_text);
  return true;
}();

}  // namespace
}  // namespace musicldm::bindings
