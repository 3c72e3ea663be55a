import { z } from "zod";
import { flag, epsilon, listOf, only, parseFields, throwProblems, whole, width } from "./fields.js";
import type { Parsed, Problem } from "./fields.js";

const maxLevels = 8;
const heads = whole(1, 1024);

/** One value for all levels, or one per level. */
function each<T extends z.ZodType>(item: T, name: string) {
  return z.union([item, listOf(item, maxLevels)], { error: `${name}, or one per level` });
}

/** diffusers' `UNet2DConditionModel`: its keys and defaults, and the values implemented here. */
const fields = z.object({
  sample_size: whole(1, 1_000_000).nullable().default(null),
  in_channels: width().default(4),
  out_channels: width().default(4),
  center_input_sample: only(false).default(false),
  flip_sin_to_cos: flag().default(true),
  freq_shift: whole(0, 1).default(0),
  down_block_types: listOf(only("DownBlock2D", "CrossAttnDownBlock2D"), maxLevels).default([
    "CrossAttnDownBlock2D",
    "CrossAttnDownBlock2D",
    "CrossAttnDownBlock2D",
    "DownBlock2D",
  ]),
  mid_block_type: only("UNetMidBlock2DCrossAttn").default("UNetMidBlock2DCrossAttn"),
  up_block_types: listOf(only("UpBlock2D", "CrossAttnUpBlock2D"), maxLevels).default([
    "UpBlock2D",
    "CrossAttnUpBlock2D",
    "CrossAttnUpBlock2D",
    "CrossAttnUpBlock2D",
  ]),
  only_cross_attention: z
    .union([only(false), listOf(only(false), maxLevels)], { error: "false" })
    .default(false),
  block_out_channels: listOf(width(), maxLevels).default([320, 640, 1280, 1280]),
  layers_per_block: each(whole(1, 16), "a layer count").default(2),
  downsample_padding: only(0, 1).default(1),
  mid_block_scale_factor: only(1).default(1),
  dropout: only(0).default(0),
  act_fn: only("silu", "swish").default("silu"),
  norm_num_groups: width().default(32),
  norm_eps: epsilon().default(1e-5),
  cross_attention_dim: each(width().nullable(), "a width").default(1280),
  transformer_layers_per_block: each(whole(1, 16), "a layer count").default(1),
  reverse_transformer_layers_per_block: only(null).default(null),
  encoder_hid_dim: only(null).default(null),
  encoder_hid_dim_type: only(null).default(null),
  attention_head_dim: each(heads, "a head count").default(8),
  num_attention_heads: each(heads, "a head count").nullable().default(null),
  dual_cross_attention: only(false).default(false),
  use_linear_projection: flag().default(false),
  class_embed_type: only("simple_projection").nullable().default(null),
  addition_embed_type: only(null).default(null),
  num_class_embeds: only(null).default(null),
  upcast_attention: only(false).default(false),
  resnet_time_scale_shift: only("default").default("default"),
  resnet_skip_time_act: only(false).default(false),
  resnet_out_scale_factor: only(1).default(1),
  time_embedding_type: only("positional").default("positional"),
  time_embedding_dim: width().nullable().default(null),
  time_embedding_act_fn: only(null).default(null),
  timestep_post_act: only(null).default(null),
  time_cond_proj_dim: only(null).default(null),
  conv_in_kernel: only(3).default(3),
  conv_out_kernel: only(3).default(3),
  projection_class_embeddings_input_dim: width().nullable().default(null),
  attention_type: only("default").default("default"),
  class_embeddings_concat: flag().nullable().default(false),
  mid_block_only_cross_attention: only(null, false).default(null),
  cross_attention_norm: only(null).default(null),
  // Unused without their embedding type, which is not implemented.
  addition_time_embed_dim: z.unknown().optional(),
  addition_embed_type_num_heads: z.unknown().optional(),
});

type Fields = z.infer<typeof fields>;

/** What builds a UNet. Names are diffusers'; lists have one entry per level, top level first. */
export interface UNetConfig {
  /** Latent frames of the default length. */
  readonly sample_size: number;
  readonly in_channels: number;
  readonly out_channels: number;
  readonly block_out_channels: readonly number[];
  readonly down_block_types: readonly ("DownBlock2D" | "CrossAttnDownBlock2D")[];
  /** In the order of the way up: the first entry is of the deepest level. */
  readonly up_block_types: readonly ("UpBlock2D" | "CrossAttnUpBlock2D")[];
  readonly layers_per_block: readonly number[];
  readonly transformer_layers_per_block: readonly number[];
  /** Heads of each level, whatever the file calls them. */
  readonly attention_heads: readonly number[];
  /** 0: the level's transformers have no second attention. */
  readonly cross_attention_dim: readonly number[];
  readonly norm_num_groups: number;
  readonly norm_eps: number;
  readonly downsample_padding: number;
  readonly use_linear_projection: boolean;
  readonly flip_sin_to_cos: boolean;
  readonly freq_shift: number;
  /** Width of the embedding that conditions the network. */
  readonly projection_class_embeddings_input_dim: number;
  readonly class_embeddings_concat: boolean;
}

/**
 * Which head count counts: the file's as diffusers reads it, or that of the network's training,
 * which had 32 channels a head. The published conversion left the first at 8 for every level.
 */
export type AttentionHeads = "config" | "trained";

const trainedHeadWidth = 32;

/** Validate `unet/config.json` and fill in diffusers' defaults. Errors: `E_CONFIG`. */
export function parseUNetConfig(
  json: unknown,
  file: string,
  attentionHeads: AttentionHeads = "config",
): Parsed<UNetConfig> {
  const { config: raw, unknownKeys } = parseFields(fields, json, file);
  throwProblems(file, rawProblems(raw));
  const perLevel = <T>(value: T | readonly T[]): readonly T[] =>
    Array.isArray(value) ? (value as T[]) : raw.block_out_channels.map(() => value as T);
  const given = perLevel(raw.num_attention_heads ?? raw.attention_head_dim);
  const trained = raw.block_out_channels.map((channels) => channels / trainedHeadWidth);
  const config: UNetConfig = {
    sample_size: raw.sample_size ?? 0,
    in_channels: raw.in_channels,
    out_channels: raw.out_channels,
    block_out_channels: raw.block_out_channels,
    down_block_types: raw.down_block_types,
    up_block_types: raw.up_block_types,
    layers_per_block: perLevel(raw.layers_per_block),
    transformer_layers_per_block: perLevel(raw.transformer_layers_per_block),
    attention_heads: attentionHeads === "trained" ? trained : given,
    cross_attention_dim: perLevel(raw.cross_attention_dim).map((context) => context ?? 0),
    norm_num_groups: raw.norm_num_groups,
    norm_eps: raw.norm_eps,
    downsample_padding: raw.downsample_padding,
    use_linear_projection: raw.use_linear_projection,
    flip_sin_to_cos: raw.flip_sin_to_cos,
    freq_shift: raw.freq_shift,
    projection_class_embeddings_input_dim: raw.projection_class_embeddings_input_dim ?? 0,
    class_embeddings_concat: raw.class_embeddings_concat ?? false,
  };
  throwProblems(file, networkProblems(config));
  return { config: { ...config, attention_heads: usableHeads(config) }, unknownKeys };
}

/** Lists that do not fit the number of levels, and settings that have to be present. */
function rawProblems(raw: Fields): readonly Problem[] {
  const levels = raw.block_out_channels.length;
  const problems: Problem[] = [];
  for (const [key, value] of Object.entries(raw)) {
    if (!Array.isArray(value) || value.length === levels) continue;
    problems.push({ key, expected: `${levels} entries, as in block_out_channels`, value });
  }
  const need = (key: keyof Fields, expected: string): void => {
    if (raw[key] === null) problems.push({ key, expected, value: null });
  };
  need("sample_size", "a frame count");
  need("class_embed_type", '"simple_projection" (a UNet without embedding is not implemented)');
  need("projection_class_embeddings_input_dim", "the width of the embedding");
  const first = raw.block_out_channels[0] ?? 0;
  if (raw.time_embedding_dim !== null && raw.time_embedding_dim !== 4 * first) {
    const expected = `null or ${4 * first} (nothing else is implemented)`;
    problems.push({ key: "time_embedding_dim", expected, value: raw.time_embedding_dim });
  }
  if (first % 2 !== 0 || first < 4) {
    problems.push({ key: "block_out_channels.0", expected: "an even width above 2", value: first });
  }
  return problems;
}

/** Whether a level has transformers, on the way down, in the middle or on the way up. */
function attends(config: UNetConfig, level: number): boolean {
  const last = config.block_out_channels.length - 1;
  const down = config.down_block_types[level] === "CrossAttnDownBlock2D";
  return down || level === last || config.up_block_types[last - level] === "CrossAttnUpBlock2D";
}

/** Head counts of levels without attention are never used; 1 keeps them whole. */
function usableHeads(config: UNetConfig): readonly number[] {
  return config.attention_heads.map((count, level) => (attends(config, level) ? count : 1));
}

/** Sizes that cannot work together. */
function networkProblems(config: UNetConfig): readonly Problem[] {
  const problems: Problem[] = [];
  config.block_out_channels.forEach((channels, level) => {
    const heads = config.attention_heads[level] ?? 0;
    const context = config.cross_attention_dim[level] ?? 0;
    if (channels % config.norm_num_groups !== 0) {
      const expected = `a divisor of the ${channels} channels of level ${level}`;
      problems.push({ key: "norm_num_groups", expected, value: config.norm_num_groups });
    }
    if (!attends(config, level)) return;
    if (!Number.isInteger(heads) || heads < 1 || channels % heads !== 0) {
      const key = `the head count (attention_head_dim or num_attention_heads) of level ${level}`;
      problems.push({ key, expected: `a divisor of ${channels} channels`, value: heads });
    }
    if (context !== 0 && context !== channels) {
      const expected = `${channels} or null, since the level attends to its own channels,`;
      problems.push({ key: `cross_attention_dim of level ${level}`, expected, value: context });
    }
  });
  return problems;
}
