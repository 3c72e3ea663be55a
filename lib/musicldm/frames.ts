import type { Autoencoder } from "../latent/autoencoder.js";
import type { Vocoder } from "../latent/vocoder.js";
import { expected, MusicLDMError } from "../runtime/errors.js";

/** How long a clip is, in every unit of the chain. */
export interface ClipLength {
  readonly seconds: number;
  /** Samples of the result. */
  readonly samples: number;
  /** Mel frames that are decoded; a multiple of the VAE's factor. */
  readonly frames: number;
  readonly latentFrames: number;
}

/** Shortest clip, in seconds. */
export const leastSeconds = 0.1;

/**
 * Choose the frames that give exactly the samples that `seconds` asks for.
 *
 * As in diffusers (frames truncated, then rounded up to the VAE's factor), with further frames
 * where those would give too few samples: 0.29 s is 29 frames, not 28. A loop is a whole number of
 * latent frames.
 *
 * @throws E_ARGUMENT for a length out of range, or a loop that is no whole number of latent frames;
 * E_OUT_OF_MEMORY for one that cannot be counted
 */
export function clipLength(
  seconds: number,
  loop: boolean,
  vae: Autoencoder,
  vocoder: Vocoder,
): ClipLength {
  if (!(Number.isFinite(seconds) && seconds >= leastSeconds)) {
    throw expected("E_ARGUMENT", `a number of at least ${leastSeconds}`, "seconds", seconds);
  }
  const { sampleRate, hopSamples } = vocoder;
  const samples = Math.floor(seconds * sampleRate + 1e-6);
  if (!Number.isSafeInteger(samples)) throw outOfMemory(seconds, Infinity, availableBytes());
  const factor = vae.downscale;
  if (loop) return loopLength(seconds, samples, factor, vocoder);
  let latentFrames = Math.max(
    1,
    Math.ceil(Math.trunc(seconds / (hopSamples / sampleRate)) / factor),
  );
  while (vocoder.samplesOf(latentFrames * factor) < samples) ++latentFrames;
  return { seconds, samples, frames: latentFrames * factor, latentFrames };
}

function loopLength(
  seconds: number,
  samples: number,
  factor: number,
  { sampleRate, hopSamples }: Vocoder,
): ClipLength {
  const unit = factor * hopSamples;
  const latentFrames = Math.round(samples / unit);
  if (latentFrames * unit !== samples || latentFrames === 0) {
    const near = [Math.floor(samples / unit), Math.ceil(samples / unit)]
      .map((count) => Number(((count * unit) / sampleRate).toFixed(6)))
      .filter((length) => length >= leastSeconds);
    const what = `a multiple of ${unit / sampleRate} (such as ${near.join(" or ")})`;
    throw expected("E_ARGUMENT", what, "seconds of a loop", seconds);
  }
  return { seconds, samples, frames: latentFrames * factor, latentFrames };
}

/**
 * Refuse a clip whose decoding cannot fit, before hours are spent on denoising it.
 *
 * The estimate counts the few largest activations of the VAE decoder and the vocoder.
 * @throws E_OUT_OF_MEMORY
 */
export function checkMemory(length: ClipLength, vae: Autoencoder, vocoder: Vocoder): void {
  const widest = Math.max(...vae.config.block_out_channels.slice(0, 2));
  const { upsample_rates: rates, upsample_initial_channel: channels } = vocoder.config;
  let samples = 1;
  const perFrame = rates.map((rate, stage) => (samples *= rate) * (channels / 2 ** (stage + 1)));
  const floats = Math.max(widest * vocoder.config.model_in_dim, ...perFrame);
  const needed = 3 * 4 * floats * length.frames;
  const available = availableBytes();
  if (needed > available) throw outOfMemory(length.seconds, needed, available);
}

function outOfMemory(seconds: number, needed: number, available: number): MusicLDMError {
  const gigabytes = (bytes: number): string => `${(bytes / 2 ** 30).toPrecision(3)} GiB`;
  const message =
    `Expected a clip that fits into memory for seconds but ${seconds} s need about ` +
    `${gigabytes(needed)} and ${gigabytes(available)} are available`;
  return new MusicLDMError("E_OUT_OF_MEMORY", message, { needed, available });
}

function availableBytes(): number {
  return process.availableMemory();
}
