import { setTimeout as sleep } from "node:timers/promises";
import type { Networks } from "../lib/musicldm/networks.js";
import { ConvolutionWork } from "./convolution.js";
import type { Inputs } from "./inputs.js";
import { conv2d } from "./layers.js";
import type { Conv2dShape } from "./layers.js";
import { conv3x3Shapes, decoderLayers } from "./network-layers.js";
import { median, relativeDistance } from "./numbers.js";
import type { Meter } from "./rates.js";
import type { Reference } from "./reference.js";
import type { Timing } from "./stages.js";
import { unetLayers } from "./unet-layers.js";

const leastSeconds = 0.2;
const pauseMilliseconds = 20;

/** One shape of 3×3 convolution. Seconds are medians. */
export interface Conv3x3Result {
  readonly network: "unet" | "vae";
  readonly shape: Conv2dShape;
  /** How often the network has it. */
  readonly count: number;
  readonly gigaflop: number;
  readonly seconds: number;
  /** conv2d of PyTorch eager, contiguous. */
  readonly eagerSeconds?: number;
  /** Eager over ours, median of the rounds. */
  readonly ratio?: number;
  /** Relative norm. */
  readonly distance?: number;
}

export interface Conv3x3Options {
  readonly eager: Reference | undefined;
  readonly meter: Meter;
  readonly rounds: number;
  /** For files in transit. */
  readonly folder: string;
}

/** Time the 3×3 convolutions of a guided step and of a decoding, each shape alone. */
export async function timeConv3x3(
  { unet, vae }: Networks,
  { latents }: Inputs,
  { eager, meter, rounds, folder }: Conv3x3Options,
): Promise<readonly Conv3x3Result[]> {
  const [, , frames = 0, bins = 0] = latents.shape;
  const layers = {
    unet: unetLayers(unet.config, { batch: 2, frames, bins }),
    vae: decoderLayers(vae.config, { batch: 1, frames, bins }),
  };
  const results: Conv3x3Result[] = [];
  for (const network of ["unet", "vae"] as const) {
    await meter.measure();
    for (const [shape, count] of conv3x3Shapes(layers[network])) {
      using work = await ConvolutionWork.create(shape, folder);
      const gigaflop = conv2d(shape).operations / 1e9;
      results.push({ network, shape, count, gigaflop, ...(await timeOne(work, eager, rounds)) });
    }
  }
  await meter.measure();
  return results;
}

type Times = Pick<Conv3x3Result, "seconds" | "eagerSeconds" | "ratio" | "distance">;

async function timeOne(
  work: ConvolutionWork,
  eager: Reference | undefined,
  rounds: number,
): Promise<Times> {
  await work.run(1);
  const { wallSeconds } = await work.run(1);
  const repeats = Math.max(1, Math.ceil(leastSeconds / wallSeconds));
  const convolution = { path: work.file, stride: work.shape.stride };
  await eager?.convolve({ ...convolution, repeats: 1 });
  const reference = await eager?.output("convolution");
  const [ours, theirs]: [Timing[], Timing[]] = [[], []];
  for (let round = 0; round < rounds; round += 1) {
    await sleep(pauseMilliseconds);
    ours.push(await work.run(repeats));
    if (!eager) continue;
    await sleep(pauseMilliseconds);
    theirs.push(await eager.convolve({ ...convolution, repeats }));
  }
  const seconds = median(ours.map((timing) => timing.wallSeconds));
  if (!reference) return { seconds };
  const ratios = ours.map((timing, i) => (theirs[i]?.wallSeconds ?? NaN) / timing.wallSeconds);
  return {
    seconds,
    eagerSeconds: median(theirs.map((timing) => timing.wallSeconds)),
    ratio: median(ratios),
    distance: relativeDistance(await work.output(), reference),
  };
}
