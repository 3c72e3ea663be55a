import { z } from "zod";
import { activation, epsilon, flag, listOf, only, parseFields, probability } from "./fields.js";
import { real, throwProblems, whole, width } from "./fields.js";
import type { Parsed, Problem } from "./fields.js";

const pair = z.union([whole(1, 64), listOf(whole(1, 64), 2)], { error: "a size, or two" });
const fusionName = z.string({ error: "a name or null" }).nullable().default(null);

/** How the mels of a long clip are merged; null is transformers' name for `"aff_2d"`. */
const fusions = [null, "aff_2d", "daf_2d", "iaff_2d", "channel_map"];

/** transformers' `ClapAudioConfig`: its keys and its defaults, and the values implemented here. */
const htsatFields = z.object({
  model_type: only("clap_audio_model").default("clap_audio_model"),
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
  fusion_type: fusionName,
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

/** Output channels of each PANN. */
const pannWidths = { cnn14: 2048, cnn10: 1024, cnn6: 512 } as const;
const archError = '"cnn14", "cnn10" or "cnn6"';

const pannFields = z.object({
  model_type: only("pann").default("pann"),
  arch: z.enum(["cnn14", "cnn10", "cnn6"], { error: archError }).default("cnn14"),
  num_mel_bins: only(64).default(64),
  num_classes: whole(0, 1_000_000).default(527),
  /** Channels of the last block, which the architecture decides. */
  hidden_size: width().optional(),
  projection_dim: width().default(512),
  projection_hidden_act: activation.default("relu"),
  enable_fusion: flag().default(false),
  fusion_type: fusionName,
});

/** What builds an HTSAT and its projection. Names are transformers'. */
export type HtsatConfig = Readonly<z.infer<typeof htsatFields>>;

/** What builds a PANN convolutional network and its projection. */
export type PannConfig = Readonly<z.infer<typeof pannFields>> & { readonly hidden_size: number };

/** What builds the audio tower and its projection. */
export type ClapAudioConfig = HtsatConfig | PannConfig;

/**
 * Validate the configuration of an audio tower and fill in defaults: an HTSAT, unless its
 * `model_type` is `"pann"`. Errors: `E_CONFIG`.
 */
export function parseClapAudio(json: unknown, file: string): Parsed<ClapAudioConfig> {
  const isPann = (json as { model_type?: unknown } | null)?.model_type === "pann";
  return isPann ? parsePann(json, file) : parseHtsat(json, file);
}

function parseHtsat(json: unknown, file: string): Parsed<HtsatConfig> {
  const parsed = parseFields(htsatFields, json, file);
  const { config } = parsed;
  throwProblems(file, [
    ...widthProblems(config),
    ...gridProblems(config),
    ...fusionProblems(config),
  ]);
  return parsed;
}

function parsePann(json: unknown, file: string): Parsed<PannConfig> {
  const { config, unknownKeys } = parseFields(pannFields, json, file);
  const last = pannWidths[config.arch];
  const { hidden_size = last } = config;
  const problems: Problem[] = [...fusionProblems(config)];
  if (hidden_size !== last) {
    const expected = `${last}, the width of ${config.arch}`;
    problems.push({ key: "hidden_size", expected, value: hidden_size });
  }
  if (config.enable_fusion && config.arch !== "cnn14") {
    const expected = `"cnn14", which alone has fusion`;
    problems.push({ key: "arch", expected, value: config.arch });
  }
  throwProblems(file, problems);
  return { config: { ...config, hidden_size }, unknownKeys };
}

function widthProblems(audio: HtsatConfig): readonly Problem[] {
  const problems: Problem[] = [];
  const { depths, num_attention_heads: heads, patch_embeds_hidden_size: first } = audio;
  const stages = depths.length;
  if (heads.length !== stages) {
    const expected = `${stages} entries, as in depths`;
    problems.push({ key: "num_attention_heads", expected, value: heads });
  }
  const last = first * 2 ** (stages - 1);
  if (audio.hidden_size !== last) {
    const expected = `${last}, the width of the last stage`;
    problems.push({ key: "hidden_size", expected, value: audio.hidden_size });
  }
  heads.forEach((count, stage) => {
    const channels = first * 2 ** stage;
    if (channels % count === 0) return;
    const key = `num_attention_heads.${stage}`;
    problems.push({ key, expected: `a divisor of ${channels} channels`, value: count });
  });
  return problems;
}

/** The folded spectrogram divides into patches, and those of every stage into windows. */
function gridProblems(audio: HtsatConfig): readonly Problem[] {
  const { spec_size: size, num_mel_bins: bins, depths, window_size: window } = audio;
  const patch = sides(audio.patch_size);
  if (sides(audio.patch_stride).join() !== patch.join()) {
    const expected = `${patch.join(" and ")}, as patch_size`;
    return [{ key: "patch_stride", expected, value: audio.patch_stride }];
  }
  if (size % bins !== 0) {
    return [{ key: "num_mel_bins", expected: `a divisor of ${size}, spec_size`, value: bins }];
  }
  const unit = window * 2 ** (depths.length - 1);
  const fits = patch.every((side) => size % (side * unit) === 0);
  // Rows of the last stage are regrouped into the quarters that the spectrogram was folded into.
  const rows = size / patch[0] / 2 ** (depths.length - 1);
  if (fits && rows % (size / bins) === 0) return [];
  const expected = `a multiple of patches, ${unit} (windows times stages) and folds`;
  return [{ key: "spec_size", expected, value: size }];
}

function fusionProblems(audio: {
  readonly enable_fusion: boolean;
  readonly fusion_type: string | null;
  readonly patch_embed_input_channels?: number;
}): readonly Problem[] {
  const { enable_fusion, fusion_type: value, patch_embed_input_channels: channels = 1 } = audio;
  if (!enable_fusion) return [];
  if (!fusions.includes(value)) {
    const names = fusions.map((name) => JSON.stringify(name)).join(", ");
    return [{ key: "fusion_type", expected: `one of ${names}`, value }];
  }
  if (channels === 1) return [];
  return [{ key: "patch_embed_input_channels", expected: "1 with fusion", value: channels }];
}

/** Height and width of a patch. */
function sides(size: number | readonly number[]): readonly [number, number] {
  const list = typeof size === "number" ? [size] : size;
  return [list[0] ?? 1, list[1] ?? list[0] ?? 1];
}
