import type { Autoencoder } from "../latent/autoencoder.js";
import type { Vocoder } from "../latent/vocoder.js";
import type { CallOptions } from "../runtime/abort.js";
import { throwIfAborted } from "../runtime/native.js";
import type { DType } from "../runtime/native.js";
import type { Tensor } from "../tensor/tensor.js";
import { requireFinite } from "./finite.js";

export interface DecodeOptions extends CallOptions {
  readonly loop: boolean;
  /** Of the networks; what goes in and comes out is float32. */
  readonly dtype: DType;
}

/** Turn scaled latents `[1, C, T, F]` into a log-mel `[1, frames, bins]`. @throws E_NONFINITE */
export async function decodeMel(
  vae: Autoencoder,
  latents: Tensor,
  { loop, dtype, signal }: DecodeOptions,
): Promise<Tensor> {
  throwIfAborted(signal);
  using unscaled = await latents.mul(1 / vae.scalingFactor);
  using input = await unscaled.to(dtype);
  using image = await vae.decode(input, { circular: loop, signal });
  using squeezed = await image.squeeze(1);
  const mel = await squeezed.to("float32");
  try {
    await requireFinite(mel, "decode");
    return mel;
  } catch (error) {
    mel.dispose();
    throw error;
  }
}

export interface Waveform {
  readonly samples: Float32Array;
  /** Largest magnitude. */
  readonly peak: number;
}

/** Turn a log-mel `[1, frames, bins]` into exactly `samples` samples. @throws E_NONFINITE */
export async function vocodeMel(
  vocoder: Vocoder,
  mel: Tensor,
  samples: number,
  { loop, dtype, signal }: DecodeOptions,
): Promise<Waveform> {
  throwIfAborted(signal);
  using input = await mel.to(dtype);
  using wave = await vocoder.vocode(input, { circular: loop, signal });
  await requireFinite(wave, "vocode");
  using clip = await wave.slice(1, 0, samples);
  using magnitudes = await clip.abs();
  using peak = await magnitudes.max();
  return { samples: await clip.floats(), peak: await peak.item() };
}
