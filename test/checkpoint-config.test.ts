import test from "ava";
import { parseAutoencoderConfig } from "../lib/checkpoint/config/autoencoder.js";
import { parseClapConfig } from "../lib/checkpoint/config/clap.js";
import { parseExtractorConfig } from "../lib/checkpoint/config/extractor.js";
import { parseUNetConfig } from "../lib/checkpoint/config/unet.js";
import { parseVocoderConfig } from "../lib/checkpoint/config/vocoder.js";
import { presets } from "../lib/musicldm/presets.js";
import { asRoberta } from "./helpers/text-tower.js";

type Json = Record<string, unknown>;

const unet = (changes: Json = {}) =>
  parseUNetConfig({ ...presets.musicldm.unet, ...changes }, "unet/config.json");
const vae = (changes: Json = {}) =>
  parseAutoencoderConfig({ ...presets.musicldm.vae, ...changes }, "vae/config.json");
const vocoder = (changes: Json = {}) =>
  parseVocoderConfig({ ...presets.musicldm.vocoder, ...changes }, "vocoder/config.json");
const text = (changes: Json = {}) =>
  parseClapConfig(
    { ...presets["audioldm-s"].textEncoder, ...changes },
    "text_encoder/config.json",
    "ClapTextModelWithProjection",
  );
const clap = (changes: Json = {}) =>
  parseClapConfig(
    { ...presets.musicldm.textEncoder, ...changes },
    "text_encoder/config.json",
    "ClapModel",
  );

test("the published UNet configuration describes the published network", (t) => {
  const { config, unknownKeys } = unet({ _name_or_path: "x", upcast_attention: false });
  t.deepEqual(unknownKeys, []);
  t.deepEqual(config.attention_heads, [1, 8, 8, 8]);
  t.deepEqual(config.cross_attention_dim, [128, 256, 384, 640]);
  t.deepEqual(config.layers_per_block, [2, 2, 2, 2]);
  t.is(config.sample_size, 256);
  t.is(config.norm_eps, 1e-5);
});

test("head counts come from num_attention_heads, attention_head_dim or training", (t) => {
  t.deepEqual(unet({ num_attention_heads: 4 }).config.attention_heads, [1, 4, 4, 4]);
  t.deepEqual(unet({ attention_head_dim: [4, 8, 12, 20] }).config.attention_heads, [1, 8, 12, 20]);
  const trained = parseUNetConfig(presets.musicldm.unet, "f", "trained");
  t.deepEqual(trained.config.attention_heads, [1, 8, 12, 20]);
});

test("absent fields take the defaults of the Python classes", (t) => {
  const defaults = { sample_size: 8, class_embed_type: "simple_projection" };
  const bare = { ...defaults, projection_class_embeddings_input_dim: 4, cross_attention_dim: null };
  const { config } = parseUNetConfig(bare, "f");
  t.deepEqual(config.block_out_channels, [320, 640, 1280, 1280]);
  t.deepEqual(config.attention_heads, [8, 8, 8, 8]);
  t.deepEqual(config.cross_attention_dim, [0, 0, 0, 0]);
  t.false(config.class_embeddings_concat);
  t.is(parseVocoderConfig({}, "f").config.normalize_before, true);
  t.is(parseAutoencoderConfig({}, "f").config.scaling_factor, 0.18215);
  const { text } = parseClapConfig({}, "f", "ClapTextModelWithProjection").config;
  t.is(asRoberta(text).layer_norm_eps, 1e-12);
  t.like(parseClapConfig({}, "f", "ClapModel").config.audio, { depths: [2, 2, 6, 2] });
  const pann = { audio_config: { model_type: "pann" } };
  const { audio } = parseClapConfig(pann, "f", "ClapModel").config;
  t.like(audio, { arch: "cnn14", hidden_size: 2048, enable_fusion: false });
  t.is(parseExtractorConfig({}, "f").config.truncation, "fusion");
});

test("ClapModel hands its projection down, whatever the towers say", (t) => {
  const towers = { text_config: { projection_dim: 9 }, audio_config: {} };
  const { config } = clap({ ...towers, projection_dim: 64, projection_hidden_act: "gelu" });
  t.is(config.text.projection_dim, 64);
  t.is(config.text.projection_hidden_act, "gelu");
  t.is(config.audio?.projection_dim, 64);
});

test("unknown keys are kept by name, private ones are not", (t) => {
  t.deepEqual(vae({ novelty: 1, _private: 2 }).unknownKeys, ["novelty"]);
  const nested = { text_config: { fusion_hidden_size: 768 }, torch_dtype: "float32" };
  t.true(clap(nested).unknownKeys.includes("text_config.fusion_hidden_size"));
});

const refused: readonly [string, (changes: Json) => unknown, Json][] = [
  ["act_fn", unet, { act_fn: "gelu" }],
  ["time_embedding_type", unet, { time_embedding_type: "fourier" }],
  ["class_embed_type", unet, { class_embed_type: "timestep" }],
  ["class_embed_type", unet, { class_embed_type: null }],
  ["resnet_time_scale_shift", unet, { resnet_time_scale_shift: "scale_shift" }],
  ["down_block_types.0", unet, { down_block_types: ["ResnetDownsampleBlock2D"] }],
  ["mid_block_type", unet, { mid_block_type: null }],
  ["encoder_hid_dim", unet, { encoder_hid_dim: 768 }],
  ["upcast_attention", unet, { upcast_attention: true }],
  ["time_embedding_dim", unet, { time_embedding_dim: 100 }],
  ["cross_attention_dim", unet, { cross_attention_dim: 1024 }],
  ["layers_per_block", unet, { layers_per_block: -1 }],
  ["layers_per_block", unet, { layers_per_block: 1e9 }],
  ["layers_per_block", unet, { layers_per_block: [2, 2] }],
  ["block_out_channels.0", unet, { block_out_channels: [1e9, 1, 1, 1] }],
  ["block_out_channels", unet, { block_out_channels: "wide" }],
  ["attention_head_dim", unet, { attention_head_dim: 7 }],
  ["norm_num_groups", unet, { norm_num_groups: 48 }],
  ["norm_eps", unet, { norm_eps: Number.NaN }],
  ["norm_eps", unet, { norm_eps: -1e-5 }],
  ["in_channels", unet, { in_channels: 1.5 }],
  ["shift_factor", vae, { shift_factor: 0.1 }],
  ["norm_num_groups", vae, { norm_num_groups: 100 }],
  ["down_block_types", vae, { block_out_channels: [32, 32] }],
  ["scaling_factor", vae, { scaling_factor: 0 }],
  ["upsample_kernel_sizes", vocoder, { upsample_kernel_sizes: [16] }],
  ["upsample_kernel_sizes.0", vocoder, { upsample_kernel_sizes: [4, 16, 8, 4, 4] }],
  ["upsample_initial_channel", vocoder, { upsample_initial_channel: 1000 }],
  ["resblock_kernel_sizes.1", vocoder, { resblock_kernel_sizes: [3, 6, 11] }],
  ["resblock_dilation_sizes", vocoder, { resblock_dilation_sizes: [[1]] }],
  ["hidden_act", text, { hidden_act: "gelu_new" }],
  ["position_embedding_type", text, { position_embedding_type: "relative_key" }],
  ["is_decoder", text, { is_decoder: true }],
  ["num_attention_heads", text, { num_attention_heads: 7 }],
  ["pad_token_id", text, { pad_token_id: 600 }],
  ["hidden_size", clap, { audio_config: { hidden_size: 100 } }],
  ["text_config", clap, { text_config: 3 }],
  ["patch_stride", clap, { audio_config: { patch_stride: 2 } }],
  ["num_mel_bins", clap, { audio_config: { num_mel_bins: 60 } }],
  ["spec_size", clap, { audio_config: { spec_size: 320 } }],
  ["fusion_type", clap, { audio_config: { enable_fusion: true, fusion_type: "aff_1d" } }],
  ["arch", clap, { audio_config: { model_type: "pann", arch: "cnn20" } }],
  ["arch", clap, { audio_config: { model_type: "pann", arch: "cnn6", enable_fusion: true } }],
  ["hidden_size", clap, { audio_config: { model_type: "pann", hidden_size: 768 } }],
  ["model_type", clap, { audio_config: { model_type: "wav2vec2" } }],
];

for (const [key, parse, changes] of refused) {
  test(`E_CONFIG names ${key} for ${JSON.stringify(changes)}`, (t) => {
    const error = t.throws(() => parse(changes), { name: "MusicLDMError", code: "E_CONFIG" });
    t.true(error?.message.includes(key), error?.message);
    t.true(error?.message.includes("config.json"), error?.message);
    t.true(error?.message.includes("but received"), error?.message);
  });
}

test("every problem is listed at once", (t) => {
  const error = t.throws(() => unet({ act_fn: "mish", dropout: 0.5, conv_in_kernel: 5 }));
  for (const key of ["act_fn", "dropout", "conv_in_kernel"]) t.true(error?.message.includes(key));
});

test("a configuration that is no object is refused", (t) => {
  for (const json of [null, 3, "x", [], undefined]) {
    t.throws(() => parseUNetConfig(json, "f"), { code: "E_CONFIG" });
  }
});
