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
