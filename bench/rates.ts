import { call, setThreads } from "../lib/runtime/native.js";
import { median } from "./numbers.js";

/** What all threads together reach, in GFLOP/s. */
export interface Rates {
  /** Instruction set of the loop: the one that the kernels run on. */
  readonly capability: string;
  /** Multiply-adds that stay in registers. */
  readonly fmaGflops: number;
  /** libtorch's product of two matrices of 1024 × 1024. */
  readonly productGflops: number;
}

/** The machine at several moments of a run. */
export class Meter {
  readonly #threads: number;
  readonly #all: Rates[] = [];
  readonly #single: Rates[] = [];

  constructor(threads: number) {
    this.#threads = threads;
  }

  async measure(): Promise<void> {
    setThreads(1);
    this.#single.push(await call<Rates>("kernels.rates", []));
    setThreads(this.#threads);
    this.#all.push(await call<Rates>("kernels.rates", []));
  }

  /** The best moments with all threads, and with one. */
  get result(): MachineRates {
    const ratios = this.#all.map(
      ({ fmaGflops }, i) => fmaGflops / (this.#single[i]?.fmaGflops ?? NaN),
    );
    return { all: best(this.#all), single: best(this.#single), fmaScaling: median(ratios) };
  }
}

export interface MachineRates {
  readonly all: Rates;
  readonly single: Rates;
  /** Rate of all threads over that of one, median of the moments: what scaling is possible. */
  readonly fmaScaling: number;
}

function best(rates: readonly Rates[]): Rates {
  return {
    capability: rates[0]?.capability ?? "unknown",
    fmaGflops: Math.max(...rates.map(({ fmaGflops }) => fmaGflops)),
    productGflops: Math.max(...rates.map(({ productGflops }) => productGflops)),
  };
}
