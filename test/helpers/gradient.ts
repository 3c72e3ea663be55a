import { Tensor } from "../../lib/tensor/tensor.js";

/** The slope of a loss along its own gradient, by `backward` and by a central difference. */
export interface Slopes {
  readonly backward: number;
  readonly difference: number;
}

/** Measure both slopes at `input`, whose values stay as they are. */
export async function measureSlopes(
  input: Tensor,
  loss: (input: Tensor) => Promise<Tensor>,
  step: number,
): Promise<Slopes> {
  using leaf = await input.clone();
  await leaf.requiresGrad();
  using total = await loss(leaf);
  await total.backward();
  using gradient = (await leaf.grad()) ?? (await Tensor.zeros(input.shape));
  const backward = Math.hypot(...(await gradient.floats()));
  const at = async (distance: number): Promise<number> => {
    using offset = await gradient.mul(distance / backward);
    using moved = await input.add(offset);
    using value = await loss(moved);
    return await value.item();
  };
  return { backward, difference: ((await at(step)) - (await at(-step))) / (2 * step) };
}
