import { same, split } from "./table.js";
import type { KeyLayout, KeyRow } from "./table.js";

/** The audio towers of laion_clap. */
export type AudioFamily = "htsat" | "pann";

const encoder = "audio_model.audio_encoder";
const block = "layers.{i}.blocks.{j}";
const self = `${encoder}.${block}.attention.self`;

/** A tensor of the audio tower. */
function audio(original: string, published = original): KeyRow {
  return same(`audio_branch.${original}`, `${encoder}.${published}`);
}

/** HTSAT: laion_clap `clap_module/htsat.py` and transformers `modeling_clap.py`. */
const htsat: readonly KeyRow[] = [
  audio("bn0.{leaf}", "batch_norm.{leaf}"),
  audio("bn0.running_mean", "batch_norm.running_mean"),
  audio("bn0.running_var", "batch_norm.running_var"),
  audio("bn0.num_batches_tracked", "batch_norm.num_batches_tracked"),
  audio("patch_embed.{rest}"),
  audio(`${block}.norm1.{leaf}`, `${block}.layernorm_before.{leaf}`),
  audio(`${block}.norm2.{leaf}`, `${block}.layernorm_after.{leaf}`),
  split(
    `audio_branch.${block}.attn.qkv.{leaf}`,
    ["query", "key", "value"].map((name) => `${self}.${name}.{leaf}`),
  ),
  ...["relative_position_bias_table", "relative_position_index"].map((name) =>
    audio(`${block}.attn.${name}`, `${block}.attention.self.${name}`),
  ),
  audio(`${block}.attn.proj.{leaf}`, `${block}.attention.output.dense.{leaf}`),
  audio(`${block}.mlp.fc1.{leaf}`, `${block}.intermediate.dense.{leaf}`),
  audio(`${block}.mlp.fc2.{leaf}`, `${block}.output.dense.{leaf}`),
  audio("layers.{i}.downsample.{rest}"),
  audio("norm.{leaf}"),
];

/** The PANN networks keep laion_clap's own names. */
const pann: readonly KeyRow[] = [audio("{rest}")];

/** All text towers keep their names; the CLIP transformer's lie beside its blocks in laion_clap. */
const text: readonly KeyRow[] = [
  ...["token_embedding.weight", "positional_embedding", "ln_final.{leaf}"].map((name) =>
    same(name, `text_model.${name}`),
  ),
  same("text_branch.{rest}", "text_model.{rest}"),
];

function projection(tower: "text" | "audio"): readonly KeyRow[] {
  return [
    same(`${tower}_projection.0.{leaf}`, `${tower}_projection.linear1.{leaf}`),
    same(`${tower}_projection.2.{leaf}`, `${tower}_projection.linear2.{leaf}`),
  ];
}

const scales = ["logit_scale_a", "logit_scale_t"];

/** Tensors of the towers that take no part in an embedding, or that are constants. */
const extra = [
  "audio_branch.spectrogram_extractor.{rest}",
  "audio_branch.logmel_extractor.{rest}",
  "audio_branch.tscam_conv.{leaf}",
  "audio_branch.head.{leaf}",
  "audio_branch.fc_audioset.{leaf}",
  `audio_branch.${block}.attn_mask`,
  "text_branch.embeddings.position_ids",
  "text_branch.embeddings.token_type_ids",
  "text_transform.{rest}",
  "audio_transform.{rest}",
];

/** Index tables that transformers stores with its RoBERTa. */
export const textTables = [
  "text_model.embeddings.position_ids",
  "text_model.embeddings.token_type_ids",
] as const;

/** laion_clap's `CLAP` and transformers' `ClapModel`. */
export function clapLayout(family: AudioFamily): KeyLayout {
  return {
    rows: [
      ...(family === "htsat" ? htsat : pann),
      ...text,
      ...projection("audio"),
      ...projection("text"),
      ...scales.map((name) => same(name)),
    ],
    extra,
    derived: textTables,
  };
}

/** laion_clap's `CLAP` and transformers' `ClapTextModelWithProjection`, which has half of it. */
export const clapTextLayout: KeyLayout = {
  rows: [...text, ...projection("text")],
  extra: [...extra, "audio_branch.{rest}", "audio_projection.{rest}", ...scales],
  derived: textTables,
};
