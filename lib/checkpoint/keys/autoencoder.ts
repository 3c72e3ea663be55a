import { matrix, same } from "./table.js";
import type { KeyLayout, KeyRow } from "./table.js";

const resnetParts = [
  ["norm1", "norm1"],
  ["conv1", "conv1"],
  ["norm2", "norm2"],
  ["conv2", "conv2"],
  ["nin_shortcut", "conv_shortcut"],
] as const;

function resnet(original: string, published: string): readonly KeyRow[] {
  return resnetParts.map(([from, to]) =>
    same(`${original}.${from}.{leaf}`, `${published}.${to}.{leaf}`),
  );
}

/** Attention of the middle: convolutions with kernel 1 in the original. */
const projections = [
  ["q", "to_q"],
  ["k", "to_k"],
  ["v", "to_v"],
  ["proj_out", "to_out.0"],
] as const;

/** What encoder and decoder have in common. */
function half(side: "encoder" | "decoder"): readonly KeyRow[] {
  const [original, published] = [`${side}.mid.attn_1`, `${side}.mid_block.attentions.0`];
  return [
    same(`${side}.conv_in.{leaf}`),
    same(`${side}.norm_out.{leaf}`, `${side}.conv_norm_out.{leaf}`),
    same(`${side}.conv_out.{leaf}`),
    ...resnet(`${side}.mid.block_1`, `${side}.mid_block.resnets.0`),
    ...resnet(`${side}.mid.block_2`, `${side}.mid_block.resnets.1`),
    same(`${original}.norm.{leaf}`, `${published}.group_norm.{leaf}`),
    ...projections.flatMap(([from, to]) => [
      matrix(`${original}.${from}.weight`, `${published}.${to}.weight`),
      same(`${original}.${from}.bias`, `${published}.${to}.bias`),
    ]),
  ];
}

/** A level of the decoder; the original counts from the top, the published layout from below. */
function up(level: number, levels: number): readonly KeyRow[] {
  const [original, published] = [`decoder.up.${level}`, `decoder.up_blocks.${levels - 1 - level}`];
  return [
    ...resnet(`${original}.block.{j}`, `${published}.resnets.{j}`),
    same(`${original}.upsample.conv.{leaf}`, `${published}.upsamplers.0.conv.{leaf}`),
  ];
}

/** Latent diffusion's autoencoder (`diffusionmodules/model.py`) and diffusers' `AutoencoderKL`. */
export function autoencoderLayout(levels: number): KeyLayout {
  const levelRows = Array.from({ length: levels }, (_, level) => up(level, levels)).flat();
  return {
    rows: [
      ...half("encoder"),
      ...half("decoder"),
      ...resnet("encoder.down.{i}.block.{j}", "encoder.down_blocks.{i}.resnets.{j}"),
      same(
        "encoder.down.{i}.downsample.conv.{leaf}",
        "encoder.down_blocks.{i}.downsamplers.0.conv.{leaf}",
      ),
      ...levelRows,
      same("quant_conv.{leaf}"),
      same("post_quant_conv.{leaf}"),
    ],
    // The discriminator and the loss's scale, of training.
    extra: ["loss.{rest}"],
    derived: [],
  };
}
