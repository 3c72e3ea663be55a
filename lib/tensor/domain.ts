import { expected } from "../runtime/errors.js";
import type { NativeTensor } from "../runtime/native.js";
import { call } from "../runtime/native.js";
import { checkTensors, runOp } from "./base.js";
import type { TensorOptions } from "./create.js";
import { complete } from "./create.js";
import { Generator } from "./generator.js";
import { Tensor } from "./tensor.js";
import { checkFloating, checkInteger, checkNumber, checkShape, shapeText } from "./validate.js";

export interface WindowAttentionOptions {
  /** Tokens along each side of a window; N = window². */
  readonly window: number;
  /** How far the grid of windows is moved down and right, as along circles. Default 0. */
  readonly shift?: number;
}

/**
 * Add up tensors of one shape, each times its coefficient, in one pass.
 *
 * Float32 is accumulated in float64 and rounded once; other dtypes in float32. The result has the
 * dtype of the first tensor and is differentiable.
 *
 * @throws MusicLDMError `E_ARGUMENT`, `E_SHAPE`
 */
export async function linearCombination(
  tensors: readonly Tensor[],
  coefficients: readonly number[],
): Promise<Tensor> {
  const op = "linearCombination";
  checkTensors(op, tensors);
  for (const coefficient of coefficients) checkNumber(`coefficient of ${op}`, coefficient);
  if (coefficients.length !== tensors.length) {
    throw expected("E_ARGUMENT", `${tensors.length} coefficients`, op, coefficients.length);
  }
  const shapes = tensors.map(({ shape }) => shapeText(shape));
  if (new Set(shapes).size > 1) {
    throw expected("E_SHAPE", "tensors of one shape", op, shapes.join(", "));
  }
  const args = [tensors, coefficients];
  return Tensor.fromNative(await runOp<NativeTensor>("linear_combination", args));
}

/**
 * Guide a conditional prediction away from the unconditional one: u + scale · (c − u).
 *
 * Source: Ho and Salimans, "Classifier-Free Diffusion Guidance", 2022, with scale = w + 1.
 *
 * @throws MusicLDMError `E_ARGUMENT`, `E_SHAPE`
 */
export async function guidance(
  unconditional: Tensor,
  conditional: Tensor,
  scale: number,
): Promise<Tensor> {
  checkNumber("scale of guidance", scale);
  return linearCombination([unconditional, conditional], [1 - scale, scale]);
}

/**
 * Draw unit normal noise, item i from generator i: `[N, ...itemShape]`.
 *
 * Item i equals the item that its generator would give alone, whatever N is.
 *
 * @throws MusicLDMError `E_ARGUMENT`, `E_SHAPE`, `E_DTYPE`
 */
export async function normalNoise(
  generators: readonly Generator[],
  itemShape: readonly number[],
  options: TensorOptions = {},
): Promise<Tensor> {
  checkShape("normalNoise", itemShape);
  const isList = Array.isArray(generators) && generators.every((item) => item instanceof Generator);
  if (!isList) throw expected("E_ARGUMENT", "a list of generators", "normalNoise", generators);
  const args = [generators, itemShape, complete(options)];
  return Tensor.fromNative(await call<NativeTensor>("random.normal", args));
}

/**
 * Attend inside the windows of a map of tokens: queries, keys and values side by side
 * `qkv [B, H, W, 3 C]`, heads one after another in each, and `bias [heads, N, N]` added to the
 * scores → `[B, H, W, C]`. Tokens that only a shift along the circles brings together are masked.
 *
 * Source: Liu et al., "Swin Transformer", arXiv 2103.14030; differentiable.
 *
 * @throws MusicLDMError `E_ARGUMENT`, `E_SHAPE`, `E_DTYPE`
 */
export async function windowAttention(
  qkv: Tensor,
  bias: Tensor,
  { window, shift = 0 }: WindowAttentionOptions,
): Promise<Tensor> {
  const op = "windowAttention";
  checkTensors(op, [qkv, bias]);
  checkFloating(op, qkv, bias);
  checkInteger(`window of ${op}`, window, 1);
  checkInteger(`shift of ${op}`, shift, 0);
  const [, height = 0, width = 0, channels = 0] = qkv.shape;
  const isWhole = qkv.rank === 4 && height % window === 0 && width % window === 0;
  if (!isWhole || height === 0 || width === 0) {
    throw expected("E_SHAPE", `[B, H, W, 3 C] of whole windows of ${window}`, op, qkv.shape);
  }
  const [heads = 0, ...square] = bias.shape;
  const hasTokens = square.length === 2 && square.every((size) => size === window * window);
  if (!hasTokens || heads === 0 || channels === 0 || channels % (3 * heads) !== 0) {
    const shape = `[heads, ${window ** 2}, ${window ** 2}] with whole heads of ${channels} / 3`;
    throw expected("E_SHAPE", shape, `bias of ${op}`, bias.shape);
  }
  if (shift >= window) throw expected("E_ARGUMENT", `below ${window}`, `shift of ${op}`, shift);
  const args = [qkv, bias, window, shift];
  return Tensor.fromNative(await runOp<NativeTensor>("window_attention", args));
}
