import { once } from "node:events";
import { Worker } from "node:worker_threads";
import test from "ava";
import { memory } from "../lib/runtime/native.js";
import { Tensor } from "../lib/tensor/tensor.js";
import { declareLifetimeTest } from "./helpers/tensor-ops.js";
import type { Message } from "./helpers/tensor-worker.js";
import { totalOf } from "./helpers/tensor-worker.js";

declareLifetimeTest();

test.serial("memory counts what lives", async (t) => {
  const { handles, bytes } = memory();
  const a = await Tensor.zeros([10, 10]);
  t.deepEqual(memory(), { handles: handles + 1, bytes: bytes + 400 });
  const b = await a.to("float16");
  t.deepEqual(memory(), { handles: handles + 2, bytes: bytes + 600 });
  a.dispose();
  b.dispose();
  t.deepEqual(memory(), { handles, bytes });
});

test.serial("dispose is idempotent, and use after it is refused", async (t) => {
  const a = await Tensor.zeros([2]);
  t.false(a.isDisposed);
  a.dispose();
  a.dispose();
  a[Symbol.dispose]();
  t.true(a.isDisposed);
  t.deepEqual(a.shape, [2]);
  using b = await Tensor.zeros([2]);
  await t.throwsAsync(a.add(1), { code: "E_DISPOSED", message: /add/ });
  await t.throwsAsync(b.add(a), { code: "E_DISPOSED" });
  await t.throwsAsync(Tensor.cat([b, a]), { code: "E_DISPOSED" });
  await t.throwsAsync(a.data(), { code: "E_DISPOSED" });
});

test.serial("a job keeps what was disposed while it runs", async (t) => {
  const a = await Tensor.ones([300, 300]);
  const pending = Array.from({ length: 8 }, () => a.matmul(a));
  a.dispose();
  for (const result of await Promise.all(pending)) {
    using corner = await result.slice(0, 0, 1);
    using sum = await corner.mean();
    t.is(await sum.item(), 300);
    result.dispose();
  }
});

test.serial("a view outlives its source", async (t) => {
  const a = await Tensor.arange(0, 6);
  using view = await a.slice(0, 2, 4);
  a.dispose();
  t.deepEqual(await view.data(), BigInt64Array.of(2n, 3n));
});

test.serial("a failed op leaves nothing behind", async (t) => {
  using a = await Tensor.zeros([2, 3]);
  const before = memory();
  await t.throwsAsync(a.reshape([4]), { code: "E_SHAPE" });
  await t.throwsAsync(Tensor.cat([]), { code: "E_ARGUMENT" });
  await t.throwsAsync(Tensor.randn([2], { seed: -1 }), { code: "E_ARGUMENT" });
  t.deepEqual(memory(), before);
});

// Node 20 gives the TypeScript loader of its parent to no worker.
const loader = `import("tsx/esm/api").then(({ register }) => {
  register();
  return import(require("node:worker_threads").workerData.file);
});`;

function start(seed: number, rounds: number): Worker {
  const file = new URL("./helpers/tensor-worker.ts", import.meta.url).href;
  return new Worker(loader, { eval: true, workerData: { file, seed, rounds } });
}

test.serial("several workers compute at once", async (t) => {
  const workers = [1, 2, 3].map((seed) => ({
    seed,
    worker: start(seed, 20),
    messages: [] as Message[],
  }));
  for (const { worker, messages } of workers) {
    worker.on("message", (message: Message) => messages.push(message));
  }
  await Promise.all(workers.map(({ worker }) => once(worker, "exit")));
  for (const { seed, messages } of workers) {
    t.is(messages.length, 21);
    t.is(messages.at(-1)?.handles, 0);
    t.is(messages[0]?.total, await totalOf(seed));
  }
});

test.serial("a terminated worker takes nobody with it", async (t) => {
  const worker = start(1, 1e6);
  await once(worker, "message");
  await worker.terminate();
  t.is(typeof (await totalOf(1)), "number");
});
