import { expected } from "../runtime/errors.js";
import { call } from "../runtime/native.js";
import type { CallOptions } from "../runtime/abort.js";
import type { NativeTensor } from "../runtime/native.js";
import { Tensor } from "../tensor/tensor.js";

/** How sample rates are converted. */
export interface ResampleOptions extends CallOptions {
  /**
   * `"standard"` is torchaudio's `sinc_interp_hann` with its defaults, which models were trained
   * with: 6 zero crossings, cut-off at 0.99 of the lower Nyquist frequency; what lies up to a
   * quarter above that frequency folds back at -7 to -45 dB.
   * `"high"` is a Kaiser-windowed sinc for files and ears: flat up to 0.95 of the lower Nyquist
   * frequency, aliases below -115 dB. Default `"standard"`.
   */
  readonly quality?: "standard" | "high" | undefined;
}

function resampleOp({ quality = "standard" }: ResampleOptions): string {
  if (quality === "standard") return "audio.resample";
  if (quality === "high") return "audio.resample_long";
  throw expected("E_ARGUMENT", '"standard" or "high"', "quality", quality);
}

/**
 * Convert between integer sample rates by windowed-sinc interpolation.
 *
 * `wave [..., T]` in `fromRate` → `[..., ceil(T · toRate / fromRate)]`. Differentiable.
 * @throws E_ARGUMENT, E_SHAPE, E_ABORTED
 */
export async function resample(
  wave: Tensor,
  fromRate: number,
  toRate: number,
  options: ResampleOptions = {},
): Promise<Tensor> {
  if (!(wave instanceof Tensor)) throw expected("E_ARGUMENT", "a Tensor", "wave", wave);
  const args = [wave, fromRate, toRate];
  return Tensor.fromNative(await call<NativeTensor>(resampleOp(options), args, options));
}

/** Convert mono samples between sample rates; see `resample`. */
export async function resampleSamples(
  samples: Float32Array,
  fromRate: number,
  toRate: number,
  options: ResampleOptions = {},
): Promise<Float32Array> {
  if (fromRate === toRate) return samples;
  using wave = await Tensor.from(samples);
  using converted = await resample(wave, fromRate, toRate, options);
  return (await converted.data()) as Float32Array;
}
