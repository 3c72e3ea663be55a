/** What `init` can write: the two published architectures, and a tiny one of the same topology. */
export const presetNames = ["debug", "musicldm", "audioldm-s"] as const;
export type PresetName = (typeof presetNames)[number];

type Json = Readonly<Record<string, unknown>>;

/** The configuration files of a preset, by folder. */
export interface Preset {
  readonly pipeline: "MusicLDMPipeline" | "AudioLDMPipeline";
  readonly textClass: "ClapModel" | "ClapTextModelWithProjection";
  readonly textEncoder: Json;
  readonly unet: Json;
  readonly vae: Json;
  readonly vocoder: Json;
  readonly scheduler: Json;
  /** Absent from AudioLDM's folder. */
  readonly extractor: Json | null;
}

// Whole-numbered settings that Python wants as floats (initializer_factor, mlp_ratio) are left out:
// they have their default, and JSON from here would hold an integer.
const text = {
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
};

/** HTSAT-base, as in the music checkpoint of CLAP that MusicLDM was trained with. */
const audio = {
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
};

const clap = {
  architectures: ["ClapModel"],
  model_type: "clap",
  logit_scale_init_value: 1 / 0.07,
  projection_dim: 512,
  projection_hidden_act: "relu",
  hidden_size: text.hidden_size,
  num_hidden_layers: text.num_hidden_layers + audio.depths.length,
  text_config: text,
  audio_config: audio,
};

const unet = {
  _class_name: "UNet2DConditionModel",
  sample_size: 256,
  in_channels: 8,
  out_channels: 8,
  block_out_channels: [128, 256, 384, 640],
  down_block_types: [
    "DownBlock2D",
    "CrossAttnDownBlock2D",
    "CrossAttnDownBlock2D",
    "CrossAttnDownBlock2D",
  ],
  mid_block_type: "UNetMidBlock2DCrossAttn",
  up_block_types: ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
  layers_per_block: 2,
  cross_attention_dim: [128, 256, 384, 640],
  attention_head_dim: 8,
  num_attention_heads: null,
  norm_num_groups: 32,
  norm_eps: 1e-5,
  act_fn: "silu",
  flip_sin_to_cos: true,
  freq_shift: 0,
  downsample_padding: 1,
  class_embed_type: "simple_projection",
  projection_class_embeddings_input_dim: 512,
  class_embeddings_concat: true,
};

const vae = {
  _class_name: "AutoencoderKL",
  sample_size: 1024,
  in_channels: 1,
  out_channels: 1,
  latent_channels: 8,
  block_out_channels: [128, 256, 512],
  down_block_types: ["DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D"],
  up_block_types: ["UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D"],
  layers_per_block: 2,
  norm_num_groups: 32,
  act_fn: "silu",
  scaling_factor: 1.075324296951294,
};

const vocoder = {
  architectures: ["SpeechT5HifiGan"],
  model_type: "speecht5_hifigan",
  model_in_dim: 64,
  sampling_rate: 16_000,
  upsample_initial_channel: 1024,
  upsample_rates: [5, 4, 2, 2, 2],
  upsample_kernel_sizes: [16, 16, 8, 4, 4],
  resblock_kernel_sizes: [3, 7, 11],
  resblock_dilation_sizes: [
    [1, 3, 5],
    [1, 3, 5],
    [1, 3, 5],
  ],
  initializer_range: 0.01,
  leaky_relu_slope: 0.1,
  normalize_before: false,
};

const scheduler = {
  _class_name: "DDIMScheduler",
  num_train_timesteps: 1000,
  beta_start: 0.0015,
  beta_end: 0.0195,
  beta_schedule: "scaled_linear",
  trained_betas: null,
  clip_sample: false,
  set_alpha_to_one: false,
  steps_offset: 1,
  prediction_type: "epsilon",
  thresholding: false,
  timestep_spacing: "leading",
  rescale_betas_zero_snr: false,
};

const extractor = {
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
};

const musicldm: Preset = {
  pipeline: "MusicLDMPipeline",
  textClass: "ClapModel",
  textEncoder: clap,
  unet,
  vae,
  vocoder,
  scheduler,
  extractor,
};

const audioldm: Preset = {
  ...musicldm,
  pipeline: "AudioLDMPipeline",
  textClass: "ClapTextModelWithProjection",
  textEncoder: { architectures: ["ClapTextModelWithProjection"], ...text },
  unet: { ...unet, sample_size: 128 },
  vae: { ...vae, sample_size: 512, scaling_factor: 0.9227914214134216 },
  extractor: null,
};

/** Every part of `musicldm`, below a million weights in all. */
const debug: Preset = {
  ...musicldm,
  textEncoder: {
    ...clap,
    projection_dim: 64,
    hidden_size: 32,
    num_hidden_layers: 6,
    text_config: {
      ...text,
      vocab_size: 264,
      hidden_size: 32,
      num_hidden_layers: 2,
      num_attention_heads: 4,
      intermediate_size: 64,
      projection_dim: 64,
    },
    audio_config: {
      ...audio,
      hidden_size: 32,
      patch_embeds_hidden_size: 4,
      depths: [1, 1, 2, 1],
      num_attention_heads: [1, 1, 2, 2],
      projection_dim: 64,
    },
  },
  unet: {
    ...unet,
    sample_size: 25,
    block_out_channels: [16, 32, 32, 32],
    cross_attention_dim: [16, 32, 32, 32],
    layers_per_block: 1,
    attention_head_dim: 4,
    norm_num_groups: 8,
    projection_class_embeddings_input_dim: 64,
  },
  vae: {
    ...vae,
    sample_size: 100,
    block_out_channels: [8, 16, 16],
    layers_per_block: 1,
    norm_num_groups: 4,
  },
  // Wider initial weights than the full size's, so that so few of them are still heard.
  vocoder: { ...vocoder, upsample_initial_channel: 32, initializer_range: 0.2 },
};

export const presets: Readonly<Record<PresetName, Preset>> = {
  debug,
  musicldm,
  "audioldm-s": audioldm,
};
