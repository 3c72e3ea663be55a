import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import test from "ava";
import { loadAddon } from "../lib/runtime/loader.js";
import { call, callSync, memory, setThreads } from "../lib/runtime/native.js";
import { Generator } from "../lib/tensor/generator.js";
import { Tensor } from "../lib/tensor/tensor.js";
import { openDebug } from "./helpers/model.js";
import { declareLifetimeTest } from "./helpers/tensor-ops.js";

declareLifetimeTest();

test.serial("jobs end in the order in which they came, whatever they take", async (t) => {
  using large = await Tensor.ones([400, 400]);
  using small = await Tensor.ones([2, 2]);
  const ended: number[] = [];
  const operands = Array.from({ length: 30 }, (_, i) => (i % 3 === 0 ? large : small));
  const jobs = operands.map(async (operand, i) => {
    using product = await operand.matmul(operand);
    ended.push(i);
    return product.shape[0];
  });
  await Promise.all(jobs);
  t.deepEqual(ended, [...jobs.keys()]);
});

test.serial("a job that fails holds up none", async (t) => {
  using a = await Tensor.zeros([2, 3]);
  const results = await Promise.allSettled([a.neg(), a.reshape([4]), a.neg()]);
  t.deepEqual(
    results.map(({ status }) => status),
    ["fulfilled", "rejected", "fulfilled"],
  );
  for (const result of results) if (result.status === "fulfilled") result.value.dispose();
});

/** The 99th percentile of the event loop's delay in milliseconds while an action runs. */
async function delayDuring(action: () => Promise<unknown>): Promise<number> {
  const histogram = monitorEventLoopDelay({ resolution: 1 });
  histogram.enable();
  await action();
  histogram.disable();
  return histogram.percentile(99) / 1e6;
}

test.serial("the event loop turns while a generation runs", async (t) => {
  using model = await openDebug();
  const clip = { prompt: "a", seconds: 2, steps: 20, seed: 1 };
  const idle = await delayDuring(async () => sleep(1000));
  const busy = await delayDuring(async () => model.generate(clip));
  // A loaded machine delays an idle loop too.
  const limit = 20 + (idle < 5 ? 0 : idle);
  t.log(`p99 ${busy.toFixed(1)} ms, idle ${idle.toFixed(1)} ms`);
  t.true(busy < limit, `${busy} ms, not below ${limit}`);
});

test.serial("generators are handles as well", async (t) => {
  const before = memory();
  const generator = new Generator(1);
  t.is(memory().handles, before.handles + 1);
  generator.dispose();
  generator.dispose();
  t.deepEqual(memory(), before);
  const draw = Tensor.randn([2], { generator });
  await t.throwsAsync(draw, { code: "E_DISPOSED", message: /Generator/ });
});

test.serial("a model is disposed once, and refuses calls afterwards", async (t) => {
  const before = memory();
  const model = await openDebug();
  t.is(memory().handles, before.handles + 4);
  t.true(memory().bytes > before.bytes + 1e6);
  model.dispose();
  model.dispose();
  model[Symbol.dispose]();
  t.deepEqual(memory(), before);
  const clip = { prompt: "a", seconds: 0.1, steps: 1 };
  await t.throwsAsync(model.generate(clip), { code: "E_DISPOSED" });
  const audio = { samples: new Float32Array(1600), sampleRate: 16_000 };
  await t.throwsAsync(model.edit({ prompt: "a", audio, strength: 1 }), { code: "E_DISPOSED" });
  await t.throwsAsync(model.encodeAudio(audio), { code: "E_DISPOSED" });
  t.is(model.sampleRate, 16_000);
  t.deepEqual(memory(), before);
});

test.serial("threads can be set, and are checked", async (t) => {
  const threads = () => callSync<{ threads: number }>("runtime.info", []).threads;
  setThreads(2);
  t.is(threads(), 2);
  for (const bad of [0, -1, 1.5, 1025, NaN, Infinity, "2", null, undefined]) {
    t.throws(() => setThreads(bad as number), { code: "E_ARGUMENT" }, String(bad));
  }
  t.is(threads(), 2);
  setThreads(1);
});

test.serial("invalid input", async (t) => {
  await t.throwsAsync(call("no.op", []), { code: "E_INTERNAL", message: /no\.op/ });
  await t.throwsAsync(call("tensor.matmul", []), { code: "E_ARGUMENT" });
  await t.throwsAsync(call("tensor.matmul", [() => 1]), { code: "E_ARGUMENT" });
  await t.throwsAsync(call("tensor.matmul", [1n]), { code: "E_ARGUMENT" });
  const addon = loadAddon();
  const token = callSync<{ handle: never }>("runtime.create_token", []).handle;
  addon.dispose(token);
  addon.dispose(token);
  await t.throwsAsync(async () => addon.call("tensor.matmul", [], token), { code: "E_DISPOSED" });
  using model = await openDebug();
  using tensor = await Tensor.zeros([1]);
  await t.throwsAsync(call("vae.decode", [tensor, tensor, {}]), { code: "E_ARGUMENT" });
  t.is(model.device, "cpu");
});
