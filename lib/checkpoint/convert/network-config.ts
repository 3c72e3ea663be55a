import { publishedUNetShape } from "../keys/unet.js";
import type { Shapes } from "./shapes.js";
import type { Json } from "./types.js";

/** Channels that a head of the UNet was trained with. */
const trainedHeadWidth = 32;

function range(count: number): readonly number[] {
  return Array.from({ length: count }, (_, i) => i);
}

/** Read the configuration of diffusers' `UNet2DConditionModel` off names and shapes. */
export function unetConfig(shapes: Shapes): Json {
  const { levels, layers, upAttention } = publishedUNetShape(shapes.names);
  const widths = range(levels).map((i) =>
    shapes.size(`down_blocks.${i}.resnets.0.conv1.weight`, 0),
  );
  const middle = "mid_block.attentions.0";
  const film = shapes.size("class_embedding.weight", 0);
  const time = shapes.size("time_embedding.linear_2.weight", 0);
  const joined = shapes.size("down_blocks.0.resnets.0.time_emb_proj.weight", 1);
  const crosses = shapes.has(`${middle}.transformer_blocks.0.attn2.to_k.weight`);
  const attends = range(levels).map((i) => shapes.count(`down_blocks.${i}.attentions`) > 0);
  return {
    _class_name: "UNet2DConditionModel",
    in_channels: shapes.size("conv_in.weight", 1),
    out_channels: shapes.size("conv_out.weight", 0),
    block_out_channels: widths,
    down_block_types: attends.map((yes) => (yes ? "CrossAttnDownBlock2D" : "DownBlock2D")),
    mid_block_type: "UNetMidBlock2DCrossAttn",
    up_block_types: upAttention.map((yes) => (yes ? "CrossAttnUpBlock2D" : "UpBlock2D")),
    layers_per_block: layers,
    transformer_layers_per_block: shapes.count(`${middle}.transformer_blocks`),
    cross_attention_dim: widths.map((width) => (crosses ? width : null)),
    attention_head_dim: widths.map((width) => Math.max(1, Math.floor(width / trainedHeadWidth))),
    num_attention_heads: null,
    use_linear_projection: shapes.rank(`${middle}.proj_in.weight`) === 2,
    norm_num_groups: 32,
    norm_eps: 1e-5,
    act_fn: "silu",
    flip_sin_to_cos: true,
    freq_shift: 0,
    downsample_padding: 1,
    class_embed_type: "simple_projection",
    projection_class_embeddings_input_dim: shapes.size("class_embedding.weight", 1),
    class_embeddings_concat: joined === time + film,
  };
}

/** Read the configuration of diffusers' `AutoencoderKL` off names and shapes. */
export function autoencoderConfig(shapes: Shapes): Json {
  const levels = shapes.count("encoder.down_blocks");
  const widths = range(levels).map((i) =>
    shapes.size(`encoder.down_blocks.${i}.resnets.0.conv1.weight`, 0),
  );
  return {
    _class_name: "AutoencoderKL",
    in_channels: shapes.size("encoder.conv_in.weight", 1),
    out_channels: shapes.size("decoder.conv_out.weight", 0),
    latent_channels: shapes.size("decoder.conv_in.weight", 1),
    block_out_channels: widths,
    down_block_types: widths.map(() => "DownEncoderBlock2D"),
    up_block_types: widths.map(() => "UpDecoderBlock2D"),
    layers_per_block: shapes.count("encoder.down_blocks.0.resnets"),
    norm_num_groups: 32,
    act_fn: "silu",
    mid_block_add_attention: shapes.has("encoder.mid_block.attentions.0.to_q.weight"),
    use_quant_conv: shapes.has("quant_conv.weight"),
    use_post_quant_conv: shapes.has("post_quant_conv.weight"),
  };
}

/** Strides of the published generators, by their kernels; shapes do not tell them. */
const knownRates: Readonly<Record<string, readonly number[]>> = {
  "16,16,8,4,4": [5, 4, 2, 2, 2],
  "16,16,4,4": [8, 8, 2, 2],
  "16,16,8": [8, 8, 4],
};

/** Dilations of the published generators, by how many layers a stack has. */
const knownDilations: Readonly<Record<number, readonly number[]>> = { 3: [1, 3, 5] };

/**
 * Read the configuration of transformers' `SpeechT5HifiGan` off names and shapes. Strides,
 * dilations and the sampling rate are those of the published generator of the same kernels.
 *
 * @param normalises whether the checkpoint has a mean and a scale of its own
 */
export function vocoderConfig(shapes: Shapes, normalises: boolean): Json {
  const stages = shapes.count("upsampler");
  const kernels = range(stages).map((i) => shapes.size(`upsampler.${i}.weight`, 2));
  const stacks = range(Math.floor(shapes.count("resblocks") / Math.max(1, stages)));
  const bins = shapes.size("conv_pre.weight", 1);
  return {
    architectures: ["SpeechT5HifiGan"],
    model_type: "speecht5_hifigan",
    model_in_dim: bins,
    sampling_rate: bins === 80 ? 22_050 : 16_000,
    upsample_initial_channel: shapes.size("conv_pre.weight", 0),
    upsample_rates: knownRates[kernels.join()] ?? kernels.map((size) => Math.ceil(size / 2)),
    upsample_kernel_sizes: kernels,
    resblock_kernel_sizes: stacks.map((i) => shapes.size(`resblocks.${i}.convs1.0.weight`, 2)),
    resblock_dilation_sizes: stacks.map((i) => dilations(shapes.count(`resblocks.${i}.convs1`))),
    initializer_range: 0.01,
    leaky_relu_slope: 0.1,
    normalize_before: normalises,
  };
}

function dilations(layers: number): readonly number[] {
  return knownDilations[layers] ?? range(layers).map((i) => 2 * i + 1);
}
