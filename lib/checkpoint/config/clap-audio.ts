import { z } from "zod";
import { activation, epsilon, flag, listOf, only, parseFields, probability } from "./fields.js";
import { real, throwProblems, whole, width } from "./fields.js";
import type { Parsed, Problem } from "./fields.js";

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

/** Validate the configuration of an audio tower and fill in defaults. Errors: `E_CONFIG`. */
export function parseClapAudio(json: unknown, file: string): Parsed<ClapAudioConfig> {
  const parsed = parseFields(audioFields, json, file);
  throwProblems(file, audioProblems(parsed.config));
  return parsed;
}

function audioProblems(audio: ClapAudioConfig): readonly Problem[] {
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
