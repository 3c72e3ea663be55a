import { clapBase, clapDebug, extractorSettings, textSettings } from "../clap/presets.js";

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

const musicldm: Preset = {
  pipeline: "MusicLDMPipeline",
  textClass: "ClapModel",
  textEncoder: clapBase,
  unet,
  vae,
  vocoder,
  scheduler,
  extractor: extractorSettings,
};

const audioldm: Preset = {
  ...musicldm,
  pipeline: "AudioLDMPipeline",
  textClass: "ClapTextModelWithProjection",
  textEncoder: { architectures: ["ClapTextModelWithProjection"], ...textSettings },
  unet: { ...unet, sample_size: 128 },
  vae: { ...vae, sample_size: 512, scaling_factor: 0.9227914214134216 },
  extractor: null,
};

/** Every part of `musicldm`, below a million weights in all. */
const debug: Preset = {
  ...musicldm,
  textEncoder: clapDebug,
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
