import { z } from "zod";
import { epsilon, flag, listOf, only, parseFields, probability, real } from "./fields.js";
import { activation, throwProblems, whole, width } from "./fields.js";
import type { Parsed, Problem } from "./fields.js";

const token = whole(0, 10_000_000);
const vocabulary = whole(1, 10_000_000);
const layers = whole(1, 128);
const heads = whole(1, 1024);
const inner = whole(1, 65_536);
const std = real(0, 100);
const ends = z.union([token, listOf(token, 16), z.null()], { error: "a token" });
/** Present in files, without effect on the encoder. */
const unused = z.unknown().optional();

/** Of the projection that follows every text network. */
const projection = {
  projection_dim: width().default(512),
  projection_hidden_act: activation.default("relu"),
};

/** Of transformers 4, where they changed the forward pass. */
const encoderOnly = {
  position_embedding_type: only("absolute").default("absolute"),
  is_decoder: only(false).default(false),
  add_cross_attention: only(false).default(false),
};

/** transformers' `ClapTextConfig`: its keys and its defaults, and the values implemented here. */
const robertaFields = z.object({
  model_type: only("clap_text_model").default("clap_text_model"),
  vocab_size: vocabulary.default(50_265),
  hidden_size: width().default(768),
  num_hidden_layers: layers.default(12),
  num_attention_heads: heads.default(12),
  intermediate_size: inner.default(3072),
  hidden_act: only("gelu").default("gelu"),
  hidden_dropout_prob: probability().default(0.1),
  attention_probs_dropout_prob: probability().default(0.1),
  max_position_embeddings: whole(3, 1_000_000).default(514),
  type_vocab_size: whole(1, 1024).default(1),
  initializer_factor: std.default(1),
  layer_norm_eps: epsilon().default(1e-12),
  pad_token_id: token.default(1),
  bos_token_id: token.nullable().default(0),
  eos_token_id: ends.default(2),
  ...projection,
  ...encoderOnly,
});

/** transformers' `BertConfig`. */
const bertFields = z.object({
  model_type: only("bert"),
  vocab_size: vocabulary.default(30_522),
  hidden_size: width().default(768),
  num_hidden_layers: layers.default(12),
  num_attention_heads: heads.default(12),
  intermediate_size: inner.default(3072),
  hidden_act: only("gelu").default("gelu"),
  hidden_dropout_prob: probability().default(0.1),
  attention_probs_dropout_prob: probability().default(0.1),
  max_position_embeddings: whole(2, 1_000_000).default(512),
  type_vocab_size: whole(1, 1024).default(2),
  initializer_range: std.default(0.02),
  layer_norm_eps: epsilon().default(1e-12),
  pad_token_id: token.default(0),
  bos_token_id: token.nullable().default(null),
  eos_token_id: ends.default(null),
  classifier_dropout: unused,
  use_cache: unused,
  tie_word_embeddings: unused,
  ...projection,
  ...encoderOnly,
});

/** transformers' `BartConfig`; only the encoder is built. */
const bartFields = z.object({
  model_type: only("bart"),
  vocab_size: vocabulary.default(50_265),
  max_position_embeddings: whole(2, 1_000_000).default(1024),
  encoder_layers: layers.default(12),
  encoder_ffn_dim: inner.default(4096),
  encoder_attention_heads: heads.default(16),
  encoder_layerdrop: only(0).default(0),
  activation_function: only("gelu").default("gelu"),
  d_model: width().default(1024),
  dropout: probability().default(0.1),
  attention_dropout: probability().default(0),
  activation_dropout: probability().default(0),
  init_std: std.default(0.02),
  scale_embedding: flag().default(false),
  pad_token_id: token.default(1),
  bos_token_id: token.nullable().default(0),
  eos_token_id: ends.default(2),
  decoder_layers: unused,
  decoder_ffn_dim: unused,
  decoder_attention_heads: unused,
  decoder_layerdrop: unused,
  decoder_start_token_id: unused,
  forced_eos_token_id: unused,
  is_encoder_decoder: unused,
  is_decoder: unused,
  num_hidden_layers: unused,
  classifier_dropout: unused,
  use_cache: unused,
  tie_word_embeddings: unused,
  ...projection,
});

/** laion_clap's configuration of the text transformer of CLIP. */
const clipFields = z.object({
  model_type: only("clip_text_model"),
  context_length: whole(2, 1_000_000).default(77),
  vocab_size: vocabulary.default(49_408),
  width: width().default(512),
  heads: heads.default(8),
  layers: layers.default(12),
  /** x · sigmoid(1.702 x) in place of GELU, as OpenAI's weights want it. */
  quick_gelu: flag().default(false),
  ...projection,
});

const schemas = {
  clap_text_model: robertaFields,
  bert: bertFields,
  bart: bartFields,
  clip_text_model: clipFields,
};

/** The kinds of text networks: RoBERTa (`"clap_text_model"`), BERT, BART and CLIP's transformer. */
export type ClapTextType = keyof typeof schemas;

/** RoBERTa with its projection. Names are those of transformers' `ClapTextConfig`. */
export type RobertaTextConfig = Readonly<z.infer<typeof robertaFields>>;
/** BERT with its projection. Names are those of transformers' `BertConfig`. */
type BertTextConfig = Readonly<z.infer<typeof bertFields>>;
/** BART's encoder with its projection. Names are those of transformers' `BartConfig`. */
type BartTextConfig = Readonly<z.infer<typeof bartFields>>;
/** CLIP's text transformer with its projection. Names are laion_clap's. */
type ClipTextConfig = Readonly<z.infer<typeof clipFields>>;

/** What builds the text tower and its projection, by `model_type`. */
export type ClapTextConfig = RobertaTextConfig | BertTextConfig | BartTextConfig | ClipTextConfig;

/** Validate the configuration of a text tower and fill in defaults. Errors: `E_CONFIG`. */
export function parseClapText(json: unknown, file: string): Parsed<ClapTextConfig> {
  const model_type = typeOf(json, file);
  const isObject = typeof json === "object" && json !== null;
  const schema: z.ZodObject = schemas[model_type];
  const given = isObject ? { ...json, model_type } : json;
  const parsed = parseFields(schema, given, file) as unknown as Parsed<ClapTextConfig>;
  throwProblems(file, textProblems(parsed.config));
  return parsed;
}

function typeOf(json: unknown, file: string): ClapTextType {
  const { model_type: name = "clap_text_model" } = (json ?? {}) as {
    readonly model_type?: unknown;
  };
  if (name === "roberta") return "clap_text_model";
  const types = Object.keys(schemas) as ClapTextType[];
  const type = types.find((known) => known === name);
  if (type !== undefined) return type;
  const expected = `one of ${types.join(", ")}, roberta`;
  throwProblems(file, [{ key: "model_type", expected, value: name }]);
  return "clap_text_model";
}

function textProblems(text: ClapTextConfig): readonly Problem[] {
  switch (text.model_type) {
    case "clip_text_model":
      return divides("heads", text.heads, text.width);
    case "bart":
      return [
        ...divides("encoder_attention_heads", text.encoder_attention_heads, text.d_model),
        ...padding(text.pad_token_id, text.vocab_size),
      ];
    case "bert":
      return [
        ...divides("num_attention_heads", text.num_attention_heads, text.hidden_size),
        ...padding(text.pad_token_id, text.vocab_size),
      ];
    case "clap_text_model":
      return [
        ...divides("num_attention_heads", text.num_attention_heads, text.hidden_size),
        ...padding(text.pad_token_id, Math.min(text.vocab_size, text.max_position_embeddings - 2)),
      ];
  }
}

function divides(key: string, count: number, channels: number): readonly Problem[] {
  if (channels % count === 0) return [];
  return [{ key, expected: `a divisor of ${channels} channels`, value: count }];
}

function padding(value: number, limit: number): readonly Problem[] {
  if (value < limit) return [];
  return [{ key: "pad_token_id", expected: `a token below ${limit}`, value }];
}
