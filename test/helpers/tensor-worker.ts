// Computes in a worker thread, and says what it found and what it left.
import { parentPort, workerData } from "node:worker_threads";
import { memory } from "../../lib/runtime/native.js";
import { Tensor } from "../../lib/tensor/tensor.js";

/** What the worker says: the sum of N · N each round, at the end its live handles. */
export interface Message {
  readonly total?: number;
  readonly handles?: number;
}

export async function totalOf(seed: number): Promise<number> {
  using noise = await Tensor.randn([64, 64], { seed });
  using product = await noise.matmul(noise);
  using total = await product.sum();
  return await total.item();
}

const { seed, rounds } = (workerData ?? {}) as { readonly seed?: number; readonly rounds?: number };
if (parentPort && seed !== undefined) {
  for (let round = 0; round < (rounds ?? 0); round++) {
    parentPort.postMessage({ total: await totalOf(seed) } satisfies Message);
  }
  parentPort.postMessage({ handles: memory().handles } satisfies Message);
}
