import { z } from "zod";
import {
  epsilon,
  flag,
  listOf,
  only,
  parseFields,
  probability,
  real,
  throwProblems,
  whole,
  width,
} from "./fields.js";
import type { Parsed, Problem } from "./fields.js";

const activation = z.enum(["relu", "gelu"], { error: '"relu" or "gelu"' });
const token = whole(0, 10_000_000);

/** transformers' `ClapTextConfig`: its keys and its defaults, and the values implemented here. */
const textFields = z.object({
  vocab_size: whole(1, 10_000_000).default(50_265),
  hidden_size: width().default(768),
  num_hidden_layers: whole(1, 128).default(12),
  num_attention_heads: whole(1, 1024).default(12),
  intermediate_size: whole(1, 65_536).default(3072),
  hidden_act: only("gelu").default("gelu"),
  hidden_dropout_prob: probability().default(0.1),
  attention_probs_dropout_prob: probability().default(0.1),
  max_position_embeddings: whole(3, 1_000_000).default(514),
  type_vocab_size: whole(1, 1024).default(1),
  initializer_factor: real(0, 100).default(1),
  layer_norm_eps: epsilon().default(1e-12),
  projection_dim: width().default(512),
  pad_token_id: token.default(1),
  bos_token_id: token.nullable().default(0),
  eos_token_id: z.union([token, listOf(token, 16), z.null()], { error: "a token" }).default(2),
  projection_hidden_act: activation.default("relu"),
  // Of transformers 4, where they changed the forward pass.
  position_embedding_type: only("absolute").default("absolute"),
  is_decoder: only(false).default(false),
  add_cross_attention: only(false).default(false),
});

/** What builds the text tower and its projection. Names are transformers'. */
export type ClapTextConfig = Readonly<z.infer<typeof textFields>>;

const pair = z.union([whole(1, 64), listOf(whole(1, 64), 2)], { error: "a size, or two" });

/** transformers' `ClapAudioConfig`: its keys and its defaults, and the values implemented here. */
const audioFields = z.object({
  window_size: whole(1, 64).default(8),
  num_mel_bins: whole(1, 1024).default(64),
  spec_size: whole(1, 4096).default(256),
  hidden_act: only("gelu").default("gelu"),
  patch_size: pair.default(4),
  patch_stride: pair.default([4, 4]),
  num_classes: whole(0, 1_000_000).default(527),
  hidden_size: width().default(768),
  projection_dim: width().default(512),
  depths: listOf(whole(1, 64), 8).default([2, 2, 6, 2]),
  num_attention_heads: listOf(whole(1, 1024), 8).default([4, 8, 16, 32]),
  enable_fusion: flag().default(false),
  hidden_dropout_prob: probability().default(0.1),
  fusion_type: z.string({ error: "a name or null" }).nullable().default(null),
  patch_embed_input_channels: whole(1, 16).default(1),
  flatten_patch_embeds: only(true).default(true),
  patch_embeds_hidden_size: width().default(96),
  enable_patch_layer_norm: only(true).default(true),
  drop_path_rate: probability().default(0),
  attention_probs_dropout_prob: probability().default(0),
  qkv_bias: only(true).default(true),
  mlp_ratio: real(0.01, 64).default(4),
  aff_block_r: whole(1, 64).default(4),
  num_hidden_layers: whole(1, 128).default(4),
  projection_hidden_act: activation.default("relu"),
  layer_norm_eps: epsilon().default(1e-5),
  initializer_factor: real(0, 100).default(1),
});

/** What builds the audio tower (HTSAT) and its projection. Names are transformers'. */
export type ClapAudioConfig = Readonly<z.infer<typeof audioFields>>;

const modelFields = z.object({
  text_config: z.record(z.string(), z.unknown(), { error: "an object" }).nullish(),
  audio_config: z.record(z.string(), z.unknown(), { error: "an object" }).nullish(),
  logit_scale_init_value: real(1e-6, 1e6).default(1 / 0.07),
  projection_dim: width().default(512),
  projection_hidden_act: activation.default("relu"),
  initializer_factor: real(0, 100).default(1),
  // Derived from the towers, present in every file.
  hidden_size: z.unknown().optional(),
  num_hidden_layers: z.unknown().optional(),
});

/** A text encoder: both towers (`ClapModel`) or the text tower with its projection alone. */
export interface ClapConfig {
  readonly className: ClapClass;
  readonly text: ClapTextConfig;
  /** Of `ClapModel` only. */
  readonly audio: ClapAudioConfig | null;
  readonly logit_scale_init_value: number;
  readonly initializer_factor: number;
}

export type ClapClass = "ClapModel" | "ClapTextModelWithProjection";

/** Validate `text_encoder/config.json` and fill in transformers' defaults. Errors: `E_CONFIG`. */
export function parseClapConfig(
  json: unknown,
  file: string,
  className: ClapClass,
): Parsed<ClapConfig> {
  if (className === "ClapModel") return parseBoth(json, file);
  const { config: text, unknownKeys } = parseFields(textFields, json, file);
  throwProblems(file, textProblems(text));
  const { initializer_factor } = text;
  const rest = { audio: null, logit_scale_init_value: 1 / 0.07, initializer_factor };
  return { config: { className, text, ...rest }, unknownKeys };
}

/** `ClapModel` hands its projection's settings down to both towers, whatever those say. */
function parseBoth(json: unknown, file: string): Parsed<ClapConfig> {
  const { config: model, unknownKeys } = parseFields(modelFields, json, file);
  const { projection_dim, projection_hidden_act } = model;
  const shared = { projection_dim, projection_hidden_act };
  const textJson = { ...model.text_config, ...shared };
  const audioJson = { ...model.audio_config, ...shared };
  const text = parseFields(textFields, textJson, `${file} (text_config)`);
  const audio = parseFields(audioFields, audioJson, `${file} (audio_config)`);
  throwProblems(file, [...textProblems(text.config), ...audioProblems(audio.config)]);
  const config: ClapConfig = {
    className: "ClapModel",
    text: text.config,
    audio: audio.config,
    logit_scale_init_value: model.logit_scale_init_value,
    initializer_factor: model.initializer_factor,
  };
  const inner = (prefix: string, keys: readonly string[]) => keys.map((key) => `${prefix}.${key}`);
  const nested = [
    ...inner("text_config", text.unknownKeys),
    ...inner("audio_config", audio.unknownKeys),
  ];
  return { config, unknownKeys: [...unknownKeys, ...nested] };
}

function textProblems(text: ClapTextConfig): readonly Problem[] {
  const problems: Problem[] = [];
  const { hidden_size, num_attention_heads, vocab_size, pad_token_id } = text;
  if (hidden_size % num_attention_heads !== 0) {
    const expected = `a divisor of ${hidden_size} channels`;
    problems.push({ key: "num_attention_heads", expected, value: num_attention_heads });
  }
  const limit = Math.min(vocab_size, text.max_position_embeddings - 2);
  if (pad_token_id >= limit) {
    problems.push({ key: "pad_token_id", expected: `a token below ${limit}`, value: pad_token_id });
  }
  return problems;
}

function audioProblems(audio: ClapAudioConfig): readonly Problem[] {
  const problems: Problem[] = [];
  const { depths, num_attention_heads: heads, patch_embeds_hidden_size: first } = audio;
  const stages = depths.length;
  if (heads.length !== stages) {
    const expected = `${stages} entries, as in depths`;
    problems.push({ key: "audio_config.num_attention_heads", expected, value: heads });
  }
  const last = first * 2 ** (stages - 1);
  if (audio.hidden_size !== last) {
    const expected = `${last}, the width of the last stage`;
    problems.push({ key: "audio_config.hidden_size", expected, value: audio.hidden_size });
  }
  heads.forEach((count, stage) => {
    const channels = first * 2 ** stage;
    if (channels % count === 0) return;
    const key = `audio_config.num_attention_heads.${stage}`;
    problems.push({ key, expected: `a divisor of ${channels} channels`, value: count });
  });
  return problems;
}
