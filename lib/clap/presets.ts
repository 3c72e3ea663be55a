/** What `initClap` can write: the published sizes, and a tiny model of the same topology. */
export const clapPresetNames = [
  "debug",
  "debug-fused",
  "htsat-tiny",
  "htsat-tiny-fused",
  "htsat-base",
  "htsat-base-fused",
] as const;
export type ClapPresetName = (typeof clapPresetNames)[number];

type Json = Readonly<Record<string, unknown>>;

/** The configuration files of a CLAP folder. */
export interface ClapPreset {
  /** `config.json`. */
  readonly model: ClapJson;
  /** `preprocessor_config.json`. */
  readonly extractor: Json;
}

/** `config.json` of a `ClapModel`. */
export type ClapJson = Json & { readonly text_config: Json; readonly audio_config: Json };

// Whole-numbered settings that Python wants as floats (initializer_factor, mlp_ratio) are left out:
// they have their default, and JSON from here would hold an integer.

/** RoBERTa-base. */
export const textSettings = {
  model_type: "clap_text_model",
  vocab_size: 50_265,
  hidden_size: 768,
  num_hidden_layers: 12,
  num_attention_heads: 12,
  intermediate_size: 3072,
  hidden_act: "gelu",
  hidden_dropout_prob: 0.1,
  attention_probs_dropout_prob: 0.1,
  max_position_embeddings: 514,
  type_vocab_size: 1,
  layer_norm_eps: 1e-12,
  projection_dim: 512,
  projection_hidden_act: "relu",
  pad_token_id: 1,
  bos_token_id: 0,
  eos_token_id: 2,
} as const;

/** HTSAT-base, as in the music checkpoint of CLAP that MusicLDM was trained with. */
const audioBase = {
  model_type: "clap_audio_model",
  window_size: 8,
  num_mel_bins: 64,
  spec_size: 256,
  hidden_act: "gelu",
  patch_size: 4,
  patch_stride: [4, 4],
  num_classes: 527,
  hidden_size: 1024,
  projection_dim: 512,
  depths: [2, 2, 12, 2],
  num_attention_heads: [4, 8, 16, 32],
  num_hidden_layers: 4,
  enable_fusion: false,
  fusion_type: null,
  patch_embed_input_channels: 1,
  flatten_patch_embeds: true,
  patch_embeds_hidden_size: 128,
  enable_patch_layer_norm: true,
  hidden_dropout_prob: 0.1,
  attention_probs_dropout_prob: 0,
  drop_path_rate: 0,
  qkv_bias: true,
  aff_block_r: 4,
  projection_hidden_act: "relu",
  layer_norm_eps: 1e-5,
} as const;

const audioTiny = {
  ...audioBase,
  hidden_size: 768,
  depths: [2, 2, 6, 2],
  patch_embeds_hidden_size: 96,
} as const;

function model(text: Json, audio: Json, width: number): ClapJson {
  const layers = (text["num_hidden_layers"] as number) + (audio["depths"] as number[]).length;
  return {
    architectures: ["ClapModel"],
    model_type: "clap",
    logit_scale_init_value: 1 / 0.07,
    projection_dim: width,
    projection_hidden_act: "relu",
    hidden_size: text["hidden_size"],
    num_hidden_layers: layers,
    text_config: { ...text, projection_dim: width },
    audio_config: { ...audio, projection_dim: width },
  };
}

/** The text encoder of MusicLDM's folder. */
export const clapBase = model(textSettings, audioBase, 512);

/** Both towers of the published topology, about 170,000 weights. */
export const clapDebug = model(
  {
    ...textSettings,
    vocab_size: 264,
    hidden_size: 32,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    intermediate_size: 64,
  },
  {
    ...audioBase,
    hidden_size: 32,
    patch_embeds_hidden_size: 4,
    depths: [1, 1, 2, 1],
    num_attention_heads: [1, 1, 2, 2],
  },
  64,
);

/** Mel front end of the models without fusion. */
export const extractorSettings = {
  feature_extractor_type: "ClapFeatureExtractor",
  feature_size: 64,
  sampling_rate: 48_000,
  hop_length: 480,
  max_length_s: 10,
  fft_window_size: 1024,
  padding_value: 0,
  return_attention_mask: false,
  frequency_min: 50,
  frequency_max: 14_000,
  top_db: null,
  truncation: "rand_trunc",
  padding: "repeatpad",
} as const;

const plain = (json: ClapJson): ClapPreset => ({ model: json, extractor: extractorSettings });

const fused = (json: ClapJson): ClapPreset => ({
  model: { ...json, audio_config: { ...json.audio_config, enable_fusion: true } },
  extractor: { ...extractorSettings, truncation: "fusion" },
});

const clapTiny = model(textSettings, audioTiny, 512);

export const clapPresets: Readonly<Record<ClapPresetName, ClapPreset>> = {
  debug: plain(clapDebug),
  "debug-fused": fused(clapDebug),
  "htsat-tiny": plain(clapTiny),
  "htsat-tiny-fused": fused(clapTiny),
  "htsat-base": plain(clapBase),
  "htsat-base-fused": fused(clapBase),
};
