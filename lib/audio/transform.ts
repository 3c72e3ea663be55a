import { expected } from "../runtime/errors.js";
import { call } from "../runtime/native.js";
import type { CallOptions } from "../runtime/abort.js";
import type { NativeTensor } from "../runtime/native.js";
import { Tensor } from "../tensor/tensor.js";

/**
 * Convert between integer sample rates: Hann-windowed sinc with 6 zero crossings, cut-off at 0.99
 * of the lower Nyquist frequency (torchaudio's `sinc_interp_hann` with its defaults).
 *
 * `wave [..., T]` in `fromRate` → `[..., ceil(T · toRate / fromRate)]`. Differentiable.
 * @throws E_ARGUMENT, E_SHAPE, E_ABORTED
 */
export async function resample(
  wave: Tensor,
  fromRate: number,
  toRate: number,
  options: CallOptions = {},
): Promise<Tensor> {
  if (!(wave instanceof Tensor)) throw expected("E_ARGUMENT", "a Tensor", "wave", wave);
  const args = [wave, fromRate, toRate];
  return Tensor.fromNative(await call<NativeTensor>("audio.resample", args, options));
}

/** Convert mono samples between sample rates; see `resample`. */
export async function resampleSamples(
  samples: Float32Array,
  fromRate: number,
  toRate: number,
  options: CallOptions = {},
): Promise<Float32Array> {
  if (fromRate === toRate) return samples;
  using wave = await Tensor.from(samples);
  using converted = await resample(wave, fromRate, toRate, options);
  return (await converted.data()) as Float32Array;
}

/**
 * Where frames lie, and how magnitudes are taken.
 *
 * `"tacotron"` centres frame k at sample k · hop; `"audioldm"` and `"hifigan"` half a hop later;
 * `"hifigan"` adds 1e-9 to the power.
 */
export type MelStyle = "tacotron" | "audioldm" | "hifigan";

export interface MelOptions extends CallOptions {
  /** Default 16000. */
  readonly sampleRate?: number;
  /** Window and transform length in samples. Default 1024. */
  readonly fftSize?: number;
  /** Default 160. */
  readonly hopSamples?: number;
  /** Default 64. */
  readonly melBins?: number;
  /** Lowest and highest frequency of the filters in hertz. Default 0 and half the sample rate. */
  readonly fMin?: number;
  readonly fMax?: number;
  /** Default `"tacotron"`. */
  readonly padding?: MelStyle;
}

interface MelSettings {
  readonly sampleRate: number;
  readonly fftSize: number;
  readonly hopSamples: number;
  readonly melBins: number;
  readonly fMin: number;
  readonly fMax: number;
  readonly padding: number;
  readonly epsilon: number;
}

function completeSettings(options: MelOptions): MelSettings {
  const { sampleRate = 16000, fftSize = 1024, hopSamples = 160, melBins = 64 } = options;
  const { fMin = 0, fMax = sampleRate / 2, padding: style = "tacotron" } = options;
  if (!["tacotron", "audioldm", "hifigan"].includes(style)) {
    throw expected("E_ARGUMENT", '"tacotron", "audioldm" or "hifigan"', "padding", style);
  }
  const margin = style === "tacotron" ? fftSize : fftSize - hopSamples;
  const padding = Math.max(0, Math.floor(margin / 2));
  const epsilon = style === "hifigan" ? 1e-9 : 0;
  return { sampleRate, fftSize, hopSamples, melBins, fMin, fMax, padding, epsilon };
}

/**
 * Compute the log-mel spectrogram that the VAE takes and the vocoder turns into sound: natural log
 * of magnitudes under Slaney filters, floor 1e-5.
 *
 * `wave [B, T]` in ±1 → `[B, frames, melBins]`.
 * @throws E_ARGUMENT, E_SHAPE for a wave that is shorter than the reflected padding
 */
export async function logMel(wave: Tensor, options: MelOptions = {}): Promise<Tensor> {
  if (!(wave instanceof Tensor)) throw expected("E_ARGUMENT", "a Tensor", "wave", wave);
  const args = [wave, completeSettings(options)];
  return Tensor.fromNative(await call<NativeTensor>("audio.log_mel", args, options));
}

/** Build the mel filters of `logMel`: `[melBins, fftSize / 2 + 1]`. @throws E_ARGUMENT */
export async function melFilterBank(options: MelOptions = {}): Promise<Tensor> {
  const args = [completeSettings(options)];
  return Tensor.fromNative(await call<NativeTensor>("audio.mel_filter_bank", args, options));
}
