import { expected } from "../runtime/errors.js";
import { Generator } from "../tensor/generator.js";
import { Tensor } from "../tensor/tensor.js";
import { checkInteger, checkName } from "../tensor/validate.js";

const windows = ["start", "center", "random"] as const;

/** Which windows of a long wave are taken. */
export interface CropOptions {
  /**
   * `"start"` (default): the first window; `"center"`: the middle one; `"random"` (default with a
   * `seed`): as the originals do. With fusion, fixed windows are the middle ones of each third.
   */
  readonly window?: (typeof windows)[number];
  /** Of random windows; every item draws for itself from a generator with this seed. */
  readonly seed?: number;
}

/** Draw an integer of 0..count − 1. */
async function draw(count: number, generator: Generator): Promise<number> {
  using drawn = await Tensor.randint(0, count, [1], { generator });
  return await drawn.item();
}

/** Cut 0..count − 1 into 3 runs, the earlier ones longer (NumPy's `array_split`). */
function splitInThree(count: number): readonly { first: number; length: number }[] {
  const lengths = [0, 1, 2].map((i) => Math.floor((count + 2 - i) / 3));
  return lengths.map((length, i) => {
    const first = lengths.slice(0, i).reduce((sum, each) => sum + each, 0);
    return length > 0 ? { first, length } : { first: 0, length: 1 };
  });
}

/** @internal Chooses where windows start. */
export class CropChooser {
  readonly #window: (typeof windows)[number];
  readonly #seed: number | undefined;

  /** Errors: `E_ARGUMENT`. */
  constructor({ seed, window = seed === undefined ? "start" : "random" }: CropOptions) {
    checkName(windows, "window", window);
    if (window === "random" && seed === undefined) {
      throw expected("E_ARGUMENT", "a seed for random windows", "seed", seed);
    }
    if (seed !== undefined) checkInteger("seed", seed, 0);
    this.#window = window;
    this.#seed = seed;
  }

  /** Choose one of `count` starts. */
  async one(count: number): Promise<number> {
    if (this.#window === "start") return 0;
    return this.#choose([{ first: 0, length: count }]).then(([start = 0]) => start);
  }

  /** Choose one start out of each third of `count`. */
  async three(count: number): Promise<readonly number[]> {
    return this.#choose(splitInThree(count));
  }

  /** Choose one of `count` things that have no order: the first unless there is a seed. */
  async any(count: number): Promise<number> {
    if (this.#seed === undefined) return 0;
    using generator = new Generator(this.#seed);
    return await draw(count, generator);
  }

  async #choose(runs: readonly { first: number; length: number }[]): Promise<readonly number[]> {
    if (this.#window !== "random") return runs.map(({ first, length }) => first + (length >> 1));
    using generator = new Generator(this.#seed ?? NaN);
    const starts: number[] = [];
    for (const { first, length } of runs) starts.push(first + (await draw(length, generator)));
    return starts;
  }
}
