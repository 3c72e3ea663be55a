// Generates in a worker thread, and says what came out and what is left.
import { parentPort, workerData } from "node:worker_threads";
import { MusicLDM } from "../../lib/musicldm/musicldm.js";
import { memory } from "../../lib/runtime/native.js";
import { Tensor } from "../../lib/tensor/tensor.js";

export interface WorkerTask {
  readonly folder: string;
  readonly seed: number;
  readonly rounds: number;
  /** Megabytes to hold all the while. */
  readonly ballast: number;
}

export interface WorkerMessage {
  readonly waveform?: Float32Array;
  /** At the end: live handles. */
  readonly handles?: number;
}

const task = workerData as (Partial<WorkerTask> & { readonly file?: string }) | null;

async function generate({ folder, seed, rounds, ballast }: WorkerTask): Promise<void> {
  using _held = await Tensor.ones([ballast, 2 ** 18]);
  using model = await MusicLDM.fromPretrained(folder);
  for (let round = 0; round < rounds; round++) {
    const { waveforms } = await model.generate({ prompt: "a", seconds: 0.2, steps: 2, seed });
    parentPort?.postMessage({ waveform: waveforms[0]! } satisfies WorkerMessage);
  }
}

if (parentPort && task?.folder !== undefined) {
  await generate(task as WorkerTask);
  parentPort.postMessage({ handles: memory().handles } satisfies WorkerMessage);
}
