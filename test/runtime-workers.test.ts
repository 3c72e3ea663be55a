import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import type { Worker } from "node:worker_threads";
import test from "ava";
import { memory } from "../lib/runtime/native.js";
import { Tensor } from "../lib/tensor/tensor.js";
import { debugFolder, openDebug } from "./helpers/model.js";
import type { WorkerMessage, WorkerTask } from "./helpers/model-worker.js";
import { declareLifetimeTest } from "./helpers/tensor-ops.js";
import { startWorker } from "./helpers/worker.js";

declareLifetimeTest();

function start(task: Partial<WorkerTask>): Worker {
  const whole = { folder: debugFolder, seed: 1, rounds: 1, ballast: 1, ...task };
  return startWorker("model-worker.ts", whole);
}

async function waveformOf(seed: number): Promise<Float32Array> {
  using model = await openDebug();
  const { waveforms } = await model.generate({ prompt: "a", seconds: 0.2, steps: 2, seed });
  return waveforms[0]!;
}

test.serial("three workers generate at once what the main thread generates", async (t) => {
  const workers = [1, 2, 3].map((seed) => ({
    seed,
    worker: start({ seed, rounds: 3 }),
    messages: [] as WorkerMessage[],
  }));
  for (const { worker, messages } of workers) {
    worker.on("message", (message: WorkerMessage) => messages.push(message));
  }
  const exits = workers.map(async ({ worker }) => once(worker, "exit"));
  const own = await Promise.all([1, 2, 3].map(waveformOf));
  t.deepEqual(await Promise.all(exits), [[0], [0], [0]]);
  for (const [i, { messages }] of workers.entries()) {
    t.deepEqual(
      messages.map(({ waveform }) => waveform),
      [own[i], own[i], own[i], undefined],
    );
    t.is(messages.at(-1)?.handles, 0);
  }
  t.notDeepEqual(own[0], own[1]);
});

const terminations = 20;
const ballast = 64;

/** Start a worker, and end it some time after its first result. */
async function terminate(delay: number): Promise<number> {
  const worker = start({ rounds: 1e6, ballast });
  await once(worker, "message");
  await sleep(delay);
  return worker.terminate();
}

test.serial("workers that are terminated in mid-job take nobody with them", async (t) => {
  using probe = await Tensor.randn([64, 64], { seed: 1 });
  const before = { memory: memory(), waveform: await waveformOf(1) };
  await terminate(0);
  const start = process.memoryUsage().rss;
  for (let round = 0; round < terminations; round += 4) {
    const codes = await Promise.all([0, 3, 11, 23].map(async (delay) => terminate(delay + round)));
    t.deepEqual(codes, [1, 1, 1, 1]);
  }
  const growth = (process.memoryUsage().rss - start) / 2 ** 20;
  t.log(`${growth.toFixed(0)} MiB more after ${terminations} times ${ballast} MiB`);
  t.true(growth < (terminations * ballast) / 2, "the memory of ended workers is not freed");
  t.deepEqual(memory(), before.memory);
  t.deepEqual(await waveformOf(1), before.waveform);
  using product = await probe.matmul(probe);
  t.true(await product.allFinite());
});
