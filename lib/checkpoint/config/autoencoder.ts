import { z } from "zod";
import { flag, listOf, only, parseFields, real, throwProblems, whole, width } from "./fields.js";
import type { Parsed, Problem } from "./fields.js";

const maxLevels = 8;

/** diffusers' `AutoencoderKL`: its keys and its defaults, and the values implemented here. */
const fields = z.object({
  in_channels: width().default(3),
  out_channels: width().default(3),
  down_block_types: listOf(only("DownEncoderBlock2D"), maxLevels).default(["DownEncoderBlock2D"]),
  up_block_types: listOf(only("UpDecoderBlock2D"), maxLevels).default(["UpDecoderBlock2D"]),
  block_out_channels: listOf(width(), maxLevels).default([64]),
  layers_per_block: whole(1, 16).default(1),
  act_fn: only("silu", "swish").default("silu"),
  latent_channels: width().default(4),
  norm_num_groups: width().default(32),
  // The training crop; no layer depends on it.
  sample_size: z.unknown().optional(),
  scaling_factor: real(1e-6, 1e6).default(0.18215),
  shift_factor: only(null).default(null),
  latents_mean: only(null).default(null),
  latents_std: only(null).default(null),
  // A request to decode in float32 that the published pipeline ignores as well.
  force_upcast: flag().default(true),
  use_quant_conv: flag().default(true),
  use_post_quant_conv: flag().default(true),
  mid_block_add_attention: flag().default(true),
});

/** What builds an autoencoder. Names are diffusers'. */
export interface AutoencoderConfig {
  readonly in_channels: number;
  readonly out_channels: number;
  readonly latent_channels: number;
  readonly block_out_channels: readonly number[];
  readonly layers_per_block: number;
  readonly norm_num_groups: number;
  readonly mid_block_add_attention: boolean;
  readonly use_quant_conv: boolean;
  readonly use_post_quant_conv: boolean;
  /** Latents times this have about unit variance. */
  readonly scaling_factor: number;
}

/** Validate `vae/config.json` and fill in diffusers' defaults. Errors: `E_CONFIG`. */
export function parseAutoencoderConfig(json: unknown, file: string): Parsed<AutoencoderConfig> {
  const { config: raw, unknownKeys } = parseFields(fields, json, file);
  const levels = raw.block_out_channels.length;
  const problems: Problem[] = [];
  for (const key of ["down_block_types", "up_block_types"] as const) {
    if (raw[key].length === levels) continue;
    const expected = `${levels} entries, as in block_out_channels`;
    problems.push({ key, expected, value: raw[key] });
  }
  const groups = raw.norm_num_groups;
  const uneven = raw.block_out_channels.filter((channels) => channels % groups !== 0);
  if (uneven.length > 0) {
    const expected = `a divisor of ${uneven.join(", ")} channels`;
    problems.push({ key: "norm_num_groups", expected, value: groups });
  }
  throwProblems(file, problems);
  const config: AutoencoderConfig = {
    in_channels: raw.in_channels,
    out_channels: raw.out_channels,
    latent_channels: raw.latent_channels,
    block_out_channels: raw.block_out_channels,
    layers_per_block: raw.layers_per_block,
    norm_num_groups: raw.norm_num_groups,
    mid_block_add_attention: raw.mid_block_add_attention,
    use_quant_conv: raw.use_quant_conv,
    use_post_quant_conv: raw.use_post_quant_conv,
    scaling_factor: raw.scaling_factor,
  };
  return { config, unknownKeys };
}
