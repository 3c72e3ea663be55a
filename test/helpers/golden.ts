import type { ExecutionContext } from "ava";
import { readSafetensors } from "../../lib/checkpoint/safetensors.js";
import type { Tensor } from "../../lib/tensor/tensor.js";

/** A file of test/goldens: what a reference implementation was given, and what it answered. */
export interface Golden extends Disposable {
  /** The reference's configuration, as its JSON. */
  readonly config: unknown;
  readonly metadata: Readonly<Record<string, string>>;
  /** The tensor of that name. */
  get(name: string): Tensor;
  /** All tensors whose name starts so, without that start. */
  under(prefix: string): Readonly<Record<string, Tensor>>;
}

export async function openGolden(name: string): Promise<Golden> {
  const content = await readSafetensors(`test/goldens/${name}.safetensors`);
  const { tensors, metadata } = content;
  return {
    config: JSON.parse(metadata["config"] ?? "null") as unknown,
    metadata,
    get: (key) => {
      const tensor = tensors[key];
      if (!tensor) throw new Error(`${name} has no tensor ${key}`);
      return tensor;
    },
    under: (prefix) =>
      Object.fromEntries(
        Object.entries(tensors)
          .filter(([key]) => key.startsWith(prefix))
          .map(([key, tensor]) => [key.slice(prefix.length), tensor]),
      ),
    [Symbol.dispose]: () => content[Symbol.dispose](),
  };
}

/** |actual − wanted| / |wanted| over all elements, in float64. Not a number unless shapes agree. */
export async function relativeNorm(actual: Tensor, wanted: Tensor): Promise<number> {
  if (actual.shape.join() !== wanted.shape.join()) return NaN;
  const [left, right] = [await actual.floats(), await wanted.floats()];
  let difference = 0;
  let total = 0;
  for (const [i, value] of right.entries()) {
    difference += ((left[i] ?? NaN) - value) ** 2;
    total += value ** 2;
  }
  return Math.sqrt(difference / total);
}

/** Assert that two tensors agree within a relative norm, and print it. */
export async function assertClose(
  t: ExecutionContext,
  [actual, wanted]: readonly [Tensor, Tensor],
  limit: number,
  what: string,
): Promise<void> {
  const norm = await relativeNorm(actual, wanted);
  t.log(`${what}: ${norm.toExponential(1)} of ${limit}`);
  t.true(norm <= limit, `${what}: ${norm} for ${actual.toString()}, ${wanted.toString()}`);
}
