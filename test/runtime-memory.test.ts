import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import test from "ava";
import { memory } from "../lib/runtime/native.js";
import { Tensor } from "../lib/tensor/tensor.js";
import { declareLifetimeTest } from "./helpers/tensor-ops.js";

declareLifetimeTest();

/** Resident memory that belongs to no file, in MiB. */
function residentMebibytes(): number {
  const status = readFileSync("/proc/self/status", "utf8");
  return Number(/RssAnon:\s+(\d+)/.exec(status)?.[1]) / 1024;
}

const side = 4096; // 64 MiB of float32

test.serial("large blocks that are reused hold what is written last", async (t) => {
  for (const value of [1, 2, 3]) {
    using full = await Tensor.full([side, side], value);
    using doubled = await full.add(full);
    using total = await doubled.mean();
    t.is(await total.item(), 2 * value);
  }
});

test.serial("freed memory goes back to the system once no job comes", async (t) => {
  // Longer than the executor waits for the next job.
  await setTimeout(3000);
  const before = residentMebibytes();
  const held = await Promise.all([1, 2, 3, 4].map(async (i) => Tensor.full([side, side], i)));
  const during = residentMebibytes();
  for (const tensor of held) tensor.dispose();
  await setTimeout(3000);
  const after = residentMebibytes();
  t.log(`before ${before | 0} MiB, during ${during | 0} MiB, after ${after | 0} MiB`);
  t.true(during - before > 200, "the tensors are resident");
  t.true(after - before < 64, "and are not afterwards");
});

test.serial("an allocation that cannot be met is an error", async (t) => {
  const { handles } = memory();
  await t.throwsAsync(Tensor.zeros([2 ** 26, 2 ** 26]), { code: "E_OUT_OF_MEMORY" });
  t.is(memory().handles, handles);
});
