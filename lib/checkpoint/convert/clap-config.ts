import type { Shapes } from "./shapes.js";
import { textConfig } from "./text-config.js";
import type { Json } from "./types.js";

const encoder = "audio_model.audio_encoder";

/** Initial logit scale of every published CLAP. */
const initialScale = 1 / 0.07;

/**
 * Read the configuration of transformers' `ClapModel` off published names and shapes.
 *
 * @param kept what the original has beside them, which tells the size of an HTSAT's image
 */
export function clapConfig(shapes: Shapes, kept: Shapes): Json {
  const text = textConfig(shapes);
  const audio = isPann(shapes) ? pannConfig(shapes) : htsatConfig(shapes, kept);
  return {
    architectures: ["ClapModel"],
    model_type: "clap",
    logit_scale_init_value: initialScale,
    projection_dim: shapes.size("text_projection.linear1.weight", 0),
    projection_hidden_act: "relu",
    hidden_size: shapes.size("text_projection.linear1.weight", 1),
    text_config: text,
    audio_config: audio,
  };
}

/** Whether the audio tower is a PANN and not an HTSAT. */
export function isPann({ names }: Pick<Shapes, "names">): boolean {
  return names.some((name) => /(^audio_branch|audio_encoder)\.conv_block1\./.test(name));
}

function htsatConfig(shapes: Shapes, kept: Shapes): Json {
  const size = (name: string, axis: number): number => shapes.size(`${encoder}.${name}`, axis);
  const first = size("patch_embed.proj.weight", 0);
  const stages = shapes.count(`${encoder}.layers`);
  const stage = Array.from({ length: stages }, (_, i) => `layers.${i}.blocks`);
  const table = "0.attention.self.relative_position_bias_table";
  const inner = size("layers.0.blocks.0.intermediate.dense.weight", 0);
  const window = (Math.sqrt(size(`layers.0.blocks.${table}`, 0)) + 1) / 2;
  const patch = size("patch_embed.proj.weight", 2);
  return {
    model_type: "clap_audio_model",
    window_size: window,
    num_mel_bins: size("batch_norm.weight", 0),
    spec_size: imageSize(kept, window * patch) ?? 256,
    patch_size: patch,
    patch_stride: [patch, size("patch_embed.proj.weight", 3)],
    patch_embeds_hidden_size: first,
    patch_embed_input_channels: 1,
    depths: stage.map((name) => shapes.count(`${encoder}.${name}`)),
    num_attention_heads: stage.map((name) => size(`${name}.${table}`, 1)),
    num_hidden_layers: stages,
    hidden_size: size("norm.weight", 0),
    projection_dim: shapes.size("audio_projection.linear1.weight", 0),
    projection_hidden_act: "relu",
    ...(inner !== 4 * first && { mlp_ratio: inner / first }),
    ...fusion(shapes, `${encoder}.patch_embed.`, size("patch_embed.proj.weight", 1)),
    hidden_dropout_prob: 0,
    attention_probs_dropout_prob: 0,
    drop_path_rate: 0.1,
    layer_norm_eps: 1e-5,
  };
}

/** Side of the folded spectrogram: the first stage's mask has an entry for each of its windows. */
function imageSize(kept: Shapes, window: number): number | null {
  const mask = "audio_branch.layers.0.blocks.1.attn_mask";
  return kept.has(mask) ? Math.sqrt(kept.size(mask, 0)) * window : null;
}

/** Which of laion_clap's ways to merge several mels the tensors belong to. */
function fusion(shapes: Shapes, prefix: string, channels: number): Json {
  const fused = (type: string): Json => ({ enable_fusion: true, fusion_type: type });
  if (channels === 4) return fused("channel_map");
  if (!shapes.has(`${prefix}mel_conv2d.weight`) && !shapes.has(`${prefix}mel_conv2d.0.weight`)) {
    return { enable_fusion: false, fusion_type: null };
  }
  const first = `${prefix}fusion_model.local_att.0.weight`;
  if (!shapes.has(first)) return fused("daf_2d");
  const isTwice = shapes.has(`${prefix}fusion_model.local_att2.0.weight`);
  const ratio = shapes.size(first, 1) / shapes.size(first, 0);
  return { ...fused(isTwice ? "iaff_2d" : "aff_2d"), ...(ratio !== 4 && { aff_block_r: ratio }) };
}

/** CNN14 has six blocks of two convolutions, CNN10 five; CNN6 has four of one. */
function pannConfig(shapes: Shapes): Json {
  const has = (name: string): boolean => shapes.has(`${encoder}.${name}.weight`);
  const arch = has("conv_block6.conv1") ? "cnn14" : has("conv_block5.conv1") ? "cnn10" : "cnn6";
  return {
    model_type: "pann",
    arch,
    num_mel_bins: shapes.size(`${encoder}.bn0.weight`, 0),
    hidden_size: shapes.size(`${encoder}.fc1.weight`, 0),
    projection_dim: shapes.size("audio_projection.linear1.weight", 0),
    projection_hidden_act: "relu",
    ...fusion(shapes, `${encoder}.`, shapes.size(`${encoder}.conv_block1.conv1.weight`, 1)),
  };
}
