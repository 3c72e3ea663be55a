import { call, callSync } from "../runtime/native.js";
import { join } from "./decoder/mix.js";

/** Input samples that a part of the output depends on. */
export interface InputSpan {
  readonly start: number;
  readonly end: number;
}

function greatestDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestDivisor(b, a % b);
}

/**
 * Converts a signal piece by piece with the long filter of `resample(…, { quality: "high" })`.
 *
 * Output n lies at input n · fromRate / toRate of the whole signal, so that any part of a file
 * equals that part of the whole file, converted.
 */
export class RateConverter {
  readonly #fromRate: number;
  readonly #toRate: number;
  /** The rates in lowest terms. */
  readonly #from: number;
  readonly #to: number;
  readonly #reach: number;
  #held: readonly Float32Array[] = [];
  #heldStart = 0;
  #next = 0;
  #end = Infinity;

  /** @throws E_ARGUMENT for a rate out of 1..10000000 */
  constructor(fromRate: number, toRate: number) {
    this.#fromRate = fromRate;
    this.#toRate = toRate;
    this.#reach = callSync<number>("audio.resample_reach", [fromRate, toRate]);
    const divisor = greatestDivisor(fromRate, toRate);
    this.#from = fromRate / divisor;
    this.#to = toRate / divisor;
  }

  /** Choose the outputs `start` up to `end`; the input has to begin at the span's start. */
  begin(start: number, end: number): InputSpan {
    const first = Math.floor((start * this.#from) / this.#to) - this.#reach;
    const last = Math.ceil((end * this.#from) / this.#to) + this.#reach + 2;
    this.#next = start;
    this.#end = end;
    this.#held = [];
    this.#heldStart = Math.max(0, first);
    return { start: this.#heldStart, end: last };
  }

  /** Take the next input; returns the outputs that no later input changes. */
  async push(
    channels: readonly Float32Array[],
    signal?: AbortSignal,
  ): Promise<readonly Float32Array[]> {
    this.#held = this.#held.length === 0 ? channels : join([this.#held, channels]);
    const safe = this.#heldStart + (this.#held[0]?.length ?? 0) - this.#reach - 2;
    return this.#convert(Math.floor((safe * this.#to) / this.#from), signal);
  }

  /** Say that the input is over; returns the outputs that remain. */
  async finish(signal?: AbortSignal): Promise<readonly Float32Array[]> {
    const length = this.#heldStart + (this.#held[0]?.length ?? 0);
    return this.#convert(Math.ceil((length * this.#to) / this.#from), signal);
  }

  async #convert(end: number, signal?: AbortSignal): Promise<readonly Float32Array[]> {
    const count = Math.min(end, this.#end) - this.#next;
    if (count <= 0) return [];
    const section = { firstInput: this.#heldStart, firstOutput: this.#next, count };
    const outputs: Float32Array[] = [];
    for (const samples of this.#held) {
      const args = [samples, this.#fromRate, this.#toRate, section];
      outputs.push(await call<Float32Array>("audio.resample_section", args, { signal }));
    }
    this.#next += count;
    this.#forget();
    return outputs;
  }

  #forget(): void {
    const needed = Math.floor((this.#next * this.#from) / this.#to) - this.#reach - 1;
    const surplus = Math.min(needed - this.#heldStart, this.#held[0]?.length ?? 0);
    if (surplus <= 0) return;
    this.#held = this.#held.map((channel) => channel.slice(surplus));
    this.#heldStart += surplus;
  }
}
