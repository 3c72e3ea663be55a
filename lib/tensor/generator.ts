import { randomInt } from "node:crypto";
import { NativeObject, callSync } from "../runtime/native.js";
import type { NativeReference } from "../runtime/native.js";
import { checkInteger } from "./validate.js";

/**
 * A source of random numbers that belongs to one seed; each draw advances it.
 *
 * It equals `torch.Generator("cpu").manual_seed(seed)`; as there, seeds that differ by a multiple
 * of 2^32 give the same numbers.
 */
export class Generator extends NativeObject {
  readonly seed: number;

  /**
   * @param seed integer in 0..2^53 − 1
   * @throws MusicLDMError `E_ARGUMENT`
   */
  constructor(seed: number) {
    checkInteger("seed", seed, 0);
    super(callSync<NativeReference>("random.generator", [seed]).handle);
    this.seed = seed;
  }
}

/** Where the numbers of a random tensor come from; default: a fresh seed. */
export interface SeedOptions {
  /** Integer in 0..2^53 − 1. Exclusive with `generator`. */
  readonly seed?: number;
  readonly generator?: Generator;
}

/** Choose a seed that nobody can predict, in 0..2^32 − 1. */
export function randomSeed(): number {
  return randomInt(2 ** 32);
}
