import type { Shapes } from "./shapes.js";
import type { Json } from "./types.js";

/** Channels of a head in every published text tower. */
const headWidth = 64;

const heads = (width: number): number => Math.max(1, Math.floor(width / headWidth));

/** Read the configuration of a text tower off published names and shapes. */
export function textConfig(shapes: Shapes): Json {
  const body = bodyConfig(shapes);
  return {
    ...body,
    projection_dim: shapes.size("text_projection.linear1.weight", 0),
    projection_hidden_act: "relu",
  };
}

function bodyConfig(shapes: Shapes): Json {
  if (shapes.has("text_model.positional_embedding")) return clipConfig(shapes);
  if (shapes.has("text_model.shared.weight")) return bartConfig(shapes);
  return bertConfig(shapes);
}

/** RoBERTa or BERT, which has two kinds of tokens and counts positions from 0. */
function bertConfig(shapes: Shapes): Json {
  const embeddings = "text_model.embeddings";
  const width = shapes.size(`${embeddings}.word_embeddings.weight`, 1);
  const types = shapes.size(`${embeddings}.token_type_embeddings.weight`, 0);
  const isBert = types === 2;
  const tokens = isBert
    ? { pad_token_id: 0, bos_token_id: null, eos_token_id: null }
    : { pad_token_id: 1, bos_token_id: 0, eos_token_id: 2 };
  return {
    model_type: isBert ? "bert" : "clap_text_model",
    vocab_size: shapes.size(`${embeddings}.word_embeddings.weight`, 0),
    hidden_size: width,
    num_hidden_layers: shapes.count("text_model.encoder.layer"),
    num_attention_heads: heads(width),
    intermediate_size: shapes.size("text_model.encoder.layer.0.intermediate.dense.weight", 0),
    hidden_act: "gelu",
    hidden_dropout_prob: 0.1,
    attention_probs_dropout_prob: 0.1,
    max_position_embeddings: shapes.size(`${embeddings}.position_embeddings.weight`, 0),
    type_vocab_size: types,
    layer_norm_eps: isBert ? 1e-12 : 1e-5,
    ...tokens,
  };
}

/** laion_clap runs BART's encoder and keeps the decoder. */
function bartConfig(shapes: Shapes): Json {
  const layer = "text_model.encoder.layers";
  const width = shapes.size("text_model.shared.weight", 1);
  const inner = shapes.size(`${layer}.0.fc1.weight`, 0);
  return {
    model_type: "bart",
    vocab_size: shapes.size("text_model.shared.weight", 0),
    d_model: width,
    encoder_layers: shapes.count(layer),
    encoder_attention_heads: heads(width),
    encoder_ffn_dim: inner,
    decoder_layers: shapes.count("text_model.decoder.layers"),
    decoder_attention_heads: heads(width),
    decoder_ffn_dim: inner,
    max_position_embeddings: shapes.size("text_model.encoder.embed_positions.weight", 0) - 2,
    activation_function: "gelu",
    pad_token_id: 1,
    bos_token_id: 0,
    eos_token_id: 2,
  };
}

/** The transformer of CLIP, with laion_clap's names. */
function clipConfig(shapes: Shapes): Json {
  const width = shapes.size("text_model.token_embedding.weight", 1);
  return {
    model_type: "clip_text_model",
    context_length: shapes.size("text_model.positional_embedding", 0),
    vocab_size: shapes.size("text_model.token_embedding.weight", 0),
    width,
    heads: heads(width),
    layers: shapes.count("text_model.resblocks"),
    quick_gelu: false,
  };
}
