import { call } from "../runtime/native.js";
import type { CallOptions } from "../runtime/abort.js";
import type { NativeTensor } from "../runtime/native.js";
import { checkTensor } from "../tensor/base.js";
import { Tensor } from "../tensor/tensor.js";
import { checkInteger } from "../tensor/validate.js";

/** All of them periodic. */
export type WindowName = "hann" | "hamming" | "blackman" | "rectangular";

/** How a wave is cut into frames. */
export interface StftSettings {
  /** Length of the transform, of any size. */
  readonly fftSize: number;
  /** Samples from one frame to the next. */
  readonly hopSamples: number;
  /** At most `fftSize`. */
  readonly windowSamples: number;
  readonly window: WindowName;
  /**
   * Where a window shorter than the transform lies: in the middle of frames of `fftSize` samples
   * (`torch.stft`, librosa), or at the start, so that frames are as long as the window (NumPy).
   */
  readonly alignment: "center" | "start";
  /** Samples on each side before the first frame is cut; half of `fftSize` centres frames. */
  readonly padding: number;
  /** What they are: the mirrored wave, or zeros. */
  readonly padMode: "reflect" | "constant";
}

/**
 * Defaults: `fftSize` 1024, a quarter of it for `hopSamples`, all of it for `windowSamples`, a
 * `"hann"` window, `"center"`, `padding` half of `fftSize` (0 with `"start"`), `"reflect"`.
 */
export type StftOptions = Partial<StftSettings> & CallOptions;

/** @internal Fill in the defaults. */
export function completeStft(options: Partial<StftSettings>): StftSettings {
  const { fftSize = 1024, window = "hann", alignment = "center", padMode = "reflect" } = options;
  const {
    hopSamples = Math.floor(fftSize / 4),
    windowSamples = fftSize,
    padding = alignment === "start" ? 0 : Math.floor(fftSize / 2),
  } = options;
  return { fftSize, hopSamples, windowSamples, window, alignment, padding, padMode };
}

/**
 * Transform every frame of a wave: `torch.view_as_real(torch.stft(…))`. Differentiable.
 *
 * `wave [B, T]` f32 → `[B, fftSize / 2 + 1, frames, 2]`, real and imaginary parts, with
 * 1 + ⌊(T + 2 · padding − fftSize) / hopSamples⌋ frames.
 * @throws E_ARGUMENT, E_DTYPE, E_ABORTED, E_SHAPE for a wave shorter than frame or mirror
 */
export async function stft(wave: Tensor, options: StftOptions = {}): Promise<Tensor> {
  checkTensor("wave", wave);
  const args = [wave, completeStft(options)];
  return Tensor.fromNative(await call<NativeTensor>("audio.stft", args, options));
}

/**
 * Find the wave whose frames are nearest to these, in the mean square; of what `stft` gave, the
 * wave itself. Differentiable.
 *
 * `spectrum [B, fftSize / 2 + 1, frames, 2]` → `[B, length]`; without `length` all between the
 * paddings. Source: Griffin and Lim, 1984, as in `torch.istft`.
 * @throws E_SHAPE, E_DTYPE, E_ABORTED, E_ARGUMENT where windows leave a sample undetermined
 */
export async function istft(
  spectrum: Tensor,
  options: StftOptions & { readonly length?: number } = {},
): Promise<Tensor> {
  checkTensor("spectrum", spectrum);
  const { length = null } = options;
  if (length !== null) checkInteger("length", length, 1);
  const args = [spectrum, completeStft(options), length];
  return Tensor.fromNative(await call<NativeTensor>("audio.istft", args, options));
}
