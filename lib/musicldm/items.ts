import { expected } from "../runtime/errors.js";
import { normalNoise } from "../tensor/domain.js";
import { Generator, randomSeed } from "../tensor/generator.js";
import type { Tensor } from "../tensor/tensor.js";

/** One clip to make. */
export interface Item {
  readonly index: number;
  /** Row of the conditioning. */
  readonly promptIndex: number;
  readonly seed: number;
}

/**
 * List the clips, prompt-major (p0 p0 p1 p1).
 *
 * @throws E_ARGUMENT for a list of seeds of another length
 */
export function listItems(
  promptCount: number,
  count: number,
  seed: number | readonly number[] | undefined,
): readonly Item[] {
  const total = promptCount * count;
  const seeds = listSeeds(total, seed);
  return seeds.map((own, index) => ({
    index,
    promptIndex: Math.floor(index / count),
    seed: own,
  }));
}

function listSeeds(total: number, seed: number | readonly number[] | undefined): readonly number[] {
  if (typeof seed === "object") {
    if (seed.length === total) return seed;
    throw expected("E_ARGUMENT", `one seed for each of ${total} items`, "seed", seed);
  }
  const first = seed ?? randomSeed();
  const last = first + total - 1;
  if (Number.isSafeInteger(last)) return Array.from({ length: total }, (_, i) => first + i);
  throw expected("E_ARGUMENT", `at most 2^53 - ${total}`, "seed", seed);
}

/** Split items into groups that are denoised together. */
export function batchesOf(items: readonly Item[], size: number): readonly (readonly Item[])[] {
  const count = Math.ceil(items.length / size);
  return Array.from({ length: count }, (_, i) => items.slice(i * size, (i + 1) * size));
}

/** The noise of a batch: each item draws from the generator of its own seed. */
export class NoiseSource implements Disposable {
  readonly #generators: readonly Generator[];
  readonly #shape: readonly number[];
  readonly #device: string;

  /** @param shape of one item, without the batch */
  constructor(items: readonly Item[], shape: readonly number[], device: string) {
    this.#generators = items.map(({ seed }) => new Generator(seed));
    this.#shape = shape;
    this.#device = device;
  }

  /** Draw the next unit normal noise: `[items, ...shape]`. */
  async draw(): Promise<Tensor> {
    return normalNoise(this.#generators, this.#shape, { device: this.#device });
  }

  [Symbol.dispose](): void {
    for (const generator of this.#generators) generator.dispose();
  }
}
