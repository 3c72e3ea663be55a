import type { NoiseLevel } from "../diffusion/plan.js";
import { expected } from "../runtime/errors.js";
import { linearCombination } from "../tensor/domain.js";
import { Tensor } from "../tensor/tensor.js";
import type { ClipLength } from "./frames.js";
import type { TimeSpan } from "./types.js";

/** Count the steps that an edit of some strength skips, as in diffusers' image-to-image. */
export function skippedSteps(steps: number, strength: number): number {
  return steps - Math.max(1, Math.min(Math.floor(steps * strength), steps));
}

/** Of a frame: 0.56 s are 14 frames, and not 14.000000000000002. */
const rounding = 1e-6;

/**
 * List for every latent frame whether it is generated anew: where a span touches it, and beyond the
 * end of the source.
 *
 * @throws E_ARGUMENT for a span that is empty or outside the clip, or a mask of nothing
 */
export function maskFrames(
  spans: readonly TimeSpan[],
  length: ClipLength,
  sourceSeconds: number,
  latentFramesPerSecond: number,
): Uint8Array {
  const mask = new Uint8Array(length.latentFrames);
  const first = (seconds: number): number => Math.floor(seconds * latentFramesPerSecond + rounding);
  const end = (seconds: number): number => Math.ceil(seconds * latentFramesPerSecond - rounding);
  for (const { startSeconds, endSeconds } of spans) {
    if (!(startSeconds < endSeconds && startSeconds < length.seconds)) {
      const span = `${startSeconds}..${endSeconds}`;
      throw expected("E_ARGUMENT", `a span inside 0..${length.seconds} s`, "mask", span);
    }
    mask.fill(1, first(startSeconds), end(endSeconds));
  }
  if (sourceSeconds < length.seconds) mask.fill(1, first(sourceSeconds));
  if (mask.includes(1)) return mask;
  throw expected("E_ARGUMENT", "something to generate", "mask", "nothing");
}

/** Noise a source `[1, C, T, F]` to a level, for every item: alpha · source + sigma · noise. */
export async function noised(
  source: Tensor,
  noise: Tensor,
  { alpha, sigma }: NoiseLevel,
): Promise<Tensor> {
  using spreadSource = await source.expand(noise.shape);
  return await linearCombination([spreadSource, noise], [alpha, sigma]);
}

/**
 * Keep a source outside a mask: during the run as the source noised to the state's level, at the
 * end as the source itself.
 *
 * Source: Lugmayr et al., "RePaint", arXiv 2201.09865, without resampling; the noise of the kept
 * part stays the same over a run.
 */
export class Inpainting implements Disposable {
  readonly #source: Tensor;
  readonly #mask: Tensor;

  private constructor(source: Tensor, mask: Tensor) {
    this.#source = source;
    this.#mask = mask;
  }

  /** @param source `[1, C, T, F]` scaled latents; stays the caller's. @param mask of T frames */
  static async create(source: Tensor, mask: Uint8Array): Promise<Inpainting> {
    const { device } = source;
    return new Inpainting(source, await Tensor.from(mask, [1, 1, mask.length, 1], { device }));
  }

  /** Put the noised source into a state `[B, C, T, F]` where nothing is generated. */
  async blend(state: Tensor, noise: Tensor, level: NoiseLevel): Promise<Tensor> {
    using kept = await noised(this.#source, noise, level);
    return await this.#mask.where(state, kept);
  }

  /** Put the source itself in, bit for bit. */
  async finish(latents: Tensor): Promise<Tensor> {
    return this.#mask.where(latents, this.#source);
  }

  [Symbol.dispose](): void {
    this.#mask.dispose();
  }
}
