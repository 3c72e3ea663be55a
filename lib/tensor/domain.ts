import { expected } from "../runtime/errors.js";
import type { NativeTensor } from "../runtime/native.js";
import { call } from "../runtime/native.js";
import { checkTensors, runOp } from "./base.js";
import type { TensorOptions } from "./create.js";
import { complete } from "./create.js";
import { Generator } from "./generator.js";
import { Tensor } from "./tensor.js";
import { checkNumber, checkShape, shapeText } from "./validate.js";

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
