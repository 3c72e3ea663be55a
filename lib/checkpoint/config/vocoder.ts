import { z } from "zod";
import { flag, listOf, parseFields, real, throwProblems, whole, width } from "./fields.js";
import type { Parsed, Problem } from "./fields.js";

const maxStages = 10;
const kernel = whole(1, 1024);

/** transformers' `SpeechT5HifiGan`: its keys and its defaults. */
const fields = z.object({
  model_in_dim: width().default(80),
  sampling_rate: whole(1, 1_000_000).default(16_000),
  upsample_initial_channel: width().default(512),
  upsample_rates: listOf(whole(1, 64), maxStages).default([4, 4, 4, 4]),
  upsample_kernel_sizes: listOf(kernel, maxStages).default([8, 8, 8, 8]),
  resblock_kernel_sizes: listOf(kernel, maxStages).default([3, 7, 11]),
  resblock_dilation_sizes: listOf(listOf(whole(1, 1024), 16), maxStages).default([
    [1, 3, 5],
    [1, 3, 5],
    [1, 3, 5],
  ]),
  initializer_range: real(0, 1).default(0.01),
  leaky_relu_slope: real(0, 1).default(0.1),
  normalize_before: flag().default(true),
});

/** What builds a vocoder. Names are transformers'. */
export interface VocoderConfig {
  /** Mel bins. */
  readonly model_in_dim: number;
  /** Hertz of the waveform. */
  readonly sampling_rate: number;
  readonly upsample_initial_channel: number;
  readonly upsample_rates: readonly number[];
  readonly upsample_kernel_sizes: readonly number[];
  readonly resblock_kernel_sizes: readonly number[];
  readonly resblock_dilation_sizes: readonly (readonly number[])[];
  /** Standard deviation of the initial weights. */
  readonly initializer_range: number;
  readonly leaky_relu_slope: number;
  readonly normalize_before: boolean;
}

/** Validate `vocoder/config.json` and fill in transformers' defaults. Errors: `E_CONFIG`. */
export function parseVocoderConfig(json: unknown, file: string): Parsed<VocoderConfig> {
  const { config, unknownKeys } = parseFields(fields, json, file);
  throwProblems(file, [...stageProblems(config), ...stackProblems(config)]);
  return { config, unknownKeys };
}

function stageProblems(config: VocoderConfig): readonly Problem[] {
  const { upsample_rates: rates, upsample_kernel_sizes: kernels } = config;
  if (kernels.length !== rates.length) {
    const expected = `${rates.length} entries, as in upsample_rates`;
    return [{ key: "upsample_kernel_sizes", expected, value: kernels }];
  }
  const problems: Problem[] = [];
  rates.forEach((rate, stage) => {
    const size = kernels[stage] ?? 0;
    if (size >= rate) return;
    const key = `upsample_kernel_sizes.${stage}`;
    problems.push({ key, expected: `a kernel no shorter than the rate of ${rate}`, value: size });
  });
  const initial = config.upsample_initial_channel;
  if (initial % 2 ** rates.length !== 0) {
    const expected = `a multiple of 2^${rates.length}, halved at each stage`;
    problems.push({ key: "upsample_initial_channel", expected, value: initial });
  }
  return problems;
}

function stackProblems(config: VocoderConfig): readonly Problem[] {
  const { resblock_kernel_sizes: kernels, resblock_dilation_sizes: dilations } = config;
  const problems: Problem[] = [];
  if (dilations.length !== kernels.length) {
    const expected = `${kernels.length} entries, as in resblock_kernel_sizes`;
    problems.push({ key: "resblock_dilation_sizes", expected, value: dilations });
  }
  const even = kernels.findIndex((size) => size % 2 === 0);
  if (even >= 0) {
    const key = `resblock_kernel_sizes.${even}`;
    problems.push({ key, expected: "an odd kernel, which keeps the length", value: kernels[even] });
  }
  return problems;
}
