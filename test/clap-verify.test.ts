import test from "ava";
import type { ExecutionContext } from "ava";
import { Clap } from "../lib/clap/clap.js";
import { noiseSource } from "../lib/clap/verify/probes.js";
import type { VerifyReport } from "../lib/clap/verify/report.js";
import { memory } from "../lib/runtime/native.js";
import { Tensor } from "../lib/tensor/tensor.js";
import { changedClap, makeClap, withSettings } from "./helpers/clap.js";
import type { Tensors } from "./helpers/clap.js";
import { trainedClap } from "./helpers/clap-trained.js";

const start = memory();
const random = await makeClap("debug");
const healthy = await trainedClap();

test.after.always("lifetime: no handle is left", (t) => {
  t.deepEqual(memory(), start);
});

async function verify(folder: string): Promise<VerifyReport> {
  using clap = await Clap.fromPretrained(folder);
  return await clap.verify();
}

/** Verify, and expect exactly these checks to fail. */
async function expectFailures(
  t: ExecutionContext,
  folder: string,
  ...names: readonly RegExp[]
): Promise<void> {
  const { ok, checks } = await verify(folder);
  const failed = checks.filter((check) => check.ok === false);
  for (const { name, value } of failed) t.log(`${name}: ${value}`);
  t.is(ok, failed.length === 0);
  const found = failed.map(({ name }) => name).join("; ");
  t.is(failed.length, names.length, found);
  for (const name of names)
    t.true(
      failed.some((check) => name.test(check.name)),
      found,
    );
}

/** Tensors under other names. */
function renamed(tensors: Tensors, rename: (name: string) => string): Tensors {
  return Object.fromEntries(
    Object.entries(tensors).map(([name, tensor]) => [rename(name), tensor]),
  );
}

async function rows(tensor: Tensor, order: (row: number, count: number) => number) {
  const count = tensor.shape[0]!;
  const source = BigInt64Array.from({ length: count }, (_, i) => BigInt(order(i, count)));
  using indices = await Tensor.from(source);
  return await tensor.indexSelect(0, indices);
}

test.serial("a healthy model passes, random or trained, fused or not", async (t) => {
  for (const folder of [random, await makeClap("debug-fused")]) {
    const { ok, isTrained, checks } = await verify(folder);
    t.deepEqual([ok, isTrained], [true, false]);
    t.true(checks.some((check) => check.ok === null));
  }
  for (const folder of [healthy, await trainedClap("debug-fused")]) {
    const { ok, isTrained, checks } = await verify(folder);
    for (const check of checks) t.log(`${String(check.ok)} ${check.name}: ${check.value}`);
    t.deepEqual([ok, isTrained], [true, true]);
    const unknown = checks.filter((check) => check.ok === null).map(({ name }) => name);
    t.deepEqual(unknown, ["sounds are nearest to their captions"]);
  }
});

test.serial("damaged weights are named", async (t) => {
  const name = "text_model.encoder.layer.0.output.dense.weight";
  const infinite = await changedClap(healthy, async (tensors) => ({
    [name]: await tensors[name]!.mul(Infinity),
  }));
  await expectFailures(t, infinite, /finite/, /text tower/);
  const zero = await changedClap(healthy, async (tensors) => ({
    [name]: await tensors[name]!.mul(0),
  }));
  await expectFailures(t, zero, /finite and not zero/);
});

test.serial("a collapsed tower is seen", async (t) => {
  for (const tower of ["audio", "text"]) {
    const name = `${tower}_projection.linear2.weight`;
    for (const folder of [healthy, random]) {
      const collapsed = await changedClap(folder, async (tensors) => ({
        [name]: await tensors[name]!.mul(1e-12),
        [`${tower}_projection.linear2.bias`]: await Tensor.randn([64], { seed: 1 }),
      }));
      await expectFailures(t, collapsed, new RegExp(`${tower} tower tells`));
    }
  }
});

test.serial("a wrong mel variant is seen, and the right one named", async (t) => {
  const file = "preprocessor_config.json";
  await expectFailures(t, withSettings(healthy, file, { frequency_min: 0 }), /mel variant/);
  await expectFailures(t, withSettings(healthy, file, { frequency_max: 8000 }), /mel variant/);
  const truncation = withSettings(healthy, file, { truncation: "fusion" });
  await expectFailures(t, truncation, /truncation fits/, /mel variant/);
  // Trained on the other filter bank.
  await expectFailures(t, await trainedClap("debug", { truncation: "fusion" }), /mel variant/);
  const fused = await trainedClap("debug-fused", { truncation: "rand_trunc" });
  await expectFailures(t, fused, /mel variant/);
  const { checks } = await verify(withSettings(healthy, file, { frequency_min: 0 }));
  const { hint = "" } = checks.find(({ name }) => name.startsWith("mel variant")) ?? {};
  t.is(hint, "the norm fits Slaney (rand_trunc), 50..14000 Hz");
});

test.serial("query, key and value in other places are seen", async (t) => {
  const turns = [
    { query: "key", key: "query" },
    { key: "value", value: "key" },
    { query: "key", key: "value", value: "query" },
  ];
  for (const turn of turns) {
    const swapped = await changedClap(healthy, async (tensors) =>
      renamed(tensors, (name) =>
        name.replace(
          /\.self\.(query|key|value)\./,
          (_, role: string) => `.self.${(turn as Record<string, string>)[role] ?? role}.`,
        ),
      ),
    );
    await expectFailures(t, swapped, /query, key and value/);
  }
});

test.serial("permuted layers are seen", async (t) => {
  const order = [5, 2, 7, 0, 3, 6, 1, 4];
  const permuted = await changedClap(healthy, async (tensors) =>
    renamed(tensors, (name) =>
      name.replace(/encoder\.layer\.(\d)/, (_, layer) => `encoder.layer.${order[Number(layer)]}`),
    ),
  );
  await expectFailures(t, permuted, /layers are in order/);
});

test.serial("permuted positions are seen", async (t) => {
  const shuffled = await changedClap(healthy, async (tensors) => {
    const changed: Record<string, Tensor> = {};
    for (const [name, tensor] of Object.entries(tensors)) {
      if (!name.endsWith("bias_table")) continue;
      const draw = noiseSource(1);
      const keys = Array.from({ length: tensor.shape[0]! }, (_, row) => ({ row, key: draw() }));
      const random = keys.sort((a, b) => a.key - b.key).map(({ row }) => row);
      changed[name] = await rows(tensor, () => random.shift() ?? 0);
    }
    return changed;
  });
  await expectFailures(t, shuffled, /relative positions/);
  const index = await changedClap(healthy, async (tensors) => {
    const name = Object.keys(tensors).find((key) => key.endsWith("position_index"))!;
    return { [name]: await rows(tensors[name]!, (row, count) => count - 1 - row) };
  });
  await expectFailures(t, index, /relative positions/);
});

test.serial("a scale that is no logarithm is seen", async (t) => {
  const wrong = await changedClap(healthy, async () => ({
    logit_scale_a: await Tensor.full([], 14.28),
  }));
  await expectFailures(t, wrong, /logit scale/);
});

test.serial("an abort takes effect", async (t) => {
  using clap = await Clap.fromPretrained(random);
  await t.throwsAsync(clap.verify({ signal: AbortSignal.abort() }), { code: "E_ABORTED" });
});
