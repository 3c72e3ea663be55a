import type { AutoencoderConfig } from "../../lib/checkpoint/config/autoencoder.js";
import type { UNetConfig } from "../../lib/checkpoint/config/unet.js";
import { UNet } from "../../lib/diffusion/unet.js";
import { Autoencoder } from "../../lib/latent/autoencoder.js";
import { randomise } from "./kernels.js";

/** Widths of three levels, the groups of their norms and the heads of their attention. */
export interface Widths {
  readonly channels: readonly [number, number, number];
  readonly groups: number;
  readonly heads: readonly [number, number, number];
}

/** No width is a whole number of vectors at every level; groups of one channel among them. */
export const oddWidths: readonly Widths[] = [
  { channels: [13, 26, 39], groups: 13, heads: [1, 2, 3] },
  { channels: [20, 24, 40], groups: 4, heads: [4, 3, 8] },
  { channels: [13, 20, 24], groups: 1, heads: [1, 5, 8] },
];

/** The width of what conditions the UNets here. */
export const labelWidth = 11;

export async function makeUNet({ channels, groups, heads }: Widths): Promise<UNet> {
  const config: UNetConfig = {
    sample_size: 8,
    in_channels: 5,
    out_channels: 5,
    block_out_channels: channels,
    down_block_types: ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
    up_block_types: ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
    layers_per_block: [1, 2, 1],
    transformer_layers_per_block: [1, 1, 1],
    attention_heads: heads,
    cross_attention_dim: [0, 24, 0],
    norm_num_groups: groups,
    norm_eps: 1e-5,
    downsample_padding: 1,
    use_linear_projection: false,
    flip_sin_to_cos: true,
    freq_shift: 0,
    projection_class_embeddings_input_dim: labelWidth,
    class_embeddings_concat: true,
  };
  const unet = await UNet.create(config);
  await randomise(unet, groups);
  return unet;
}

export async function makeAutoencoder({ channels, groups }: Widths): Promise<Autoencoder> {
  const config: AutoencoderConfig = {
    in_channels: 1,
    out_channels: 1,
    latent_channels: 5,
    block_out_channels: channels,
    layers_per_block: 1,
    norm_num_groups: groups,
    mid_block_add_attention: true,
    use_quant_conv: true,
    use_post_quant_conv: true,
    scaling_factor: 1,
  };
  const vae = await Autoencoder.create(config);
  await randomise(vae, groups);
  return vae;
}
