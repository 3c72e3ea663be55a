import test from "ava";
import type { ExecutionContext } from "ava";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Checkpoint } from "../lib/checkpoint/checkpoint.js";
import { writeSafetensors } from "../lib/checkpoint/safetensors.js";
import { Module } from "../lib/nn/module.js";
import type { NamedTensors } from "../lib/nn/module.js";
import { call, memory } from "../lib/runtime/native.js";
import type { NativeReference } from "../lib/runtime/native.js";
import { MusicLDMError } from "../lib/runtime/errors.js";
import { Tensor } from "../lib/tensor/tensor.js";

/** Two linear layers: `linear_1` 4 → 6 and `linear_2` 6 → 6. */
class Pair extends Module {
  static async create(): Promise<Pair> {
    return new Pair((await call<NativeReference>("unet.create_time_embedding", [4, 6])).handle);
  }
}

const shapes: Readonly<Record<string, readonly number[]>> = {
  "linear_1.weight": [6, 4],
  "linear_1.bias": [6],
  "linear_2.weight": [6, 6],
  "linear_2.bias": [6],
};

async function draw(seed: number): Promise<NamedTensors> {
  const tensors: Record<string, Tensor> = {};
  for (const [name, shape] of Object.entries(shapes)) {
    tensors[name] = await Tensor.randn(shape, { seed });
  }
  return tensors;
}

function release(...maps: readonly NamedTensors[]): void {
  for (const tensor of maps.flatMap((map) => Object.values(map))) tensor.dispose();
}

async function values(tensors: NamedTensors): Promise<Readonly<Record<string, readonly number[]>>> {
  const entries = Object.entries(tensors).map(async ([name, tensor]) => {
    return [name, [...(await tensor.floats())]] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}

async function problems(t: ExecutionContext, load: Promise<void>): Promise<readonly string[]> {
  const error = await t.throwsAsync(load, { instanceOf: MusicLDMError, code: "E_CHECKPOINT" });
  return (error?.message ?? "").split("\n  ").slice(1);
}

test.serial("holds what it loaded", async (t) => {
  using pair = await Pair.create();
  const given = await draw(1);
  await pair.load(given);
  const state = await pair.state();
  t.deepEqual(await values(state), await values(given));
  t.deepEqual(Object.keys(state).sort(), Object.keys(shapes).sort());
  release(given, state);
});

test.serial("loads from a file, under a prefix, beside the tensors of others", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "musicldm-"));
  const given = await draw(2);
  const named = Object.entries(given).map(([name, tensor]) => [`time.${name}`, tensor] as const);
  using other = await Tensor.zeros([1]);
  const path = join(folder, "file.safetensors");
  await writeSafetensors(path, { ...Object.fromEntries(named), "time.extra.a": other, b: other });
  using checkpoint = await Checkpoint.open(path);
  using pair = await Pair.create();
  const loading = pair.load(checkpoint, { prefix: "time." });
  t.deepEqual(await problems(t, loading), ["extra.a: unexpected"]);
  await pair.load(checkpoint, { prefix: "time.", allowedExtra: ["extra."] });
  const state = await pair.state();
  t.deepEqual(await values(state), await values(given));
  release(given, state);
  await rm(folder, { recursive: true });
});

test.serial("lists every mismatch in one error, and changes nothing", async (t) => {
  using pair = await Pair.create();
  const given = await draw(3);
  await pair.load(given);
  using wrongShape = await Tensor.zeros([4, 6]);
  using wrongType = await Tensor.zeros([6], { dtype: "float16" });
  const bad: Record<string, Tensor> = {
    "linear_1.weight": wrongShape,
    "linear_1.bias": wrongType,
    "linear_2.weight": given["linear_2.weight"]!,
    "linear_3.bias": wrongType,
  };
  t.deepEqual(await problems(t, pair.load(bad)), [
    "linear_1.bias: expected dtype float32 but received float16",
    "linear_1.weight: expected shape [6, 4] but received [4, 6]",
    "linear_2.bias: missing",
    "linear_3.bias: unexpected",
  ]);
  const state = await pair.state();
  t.deepEqual(await values(state), await values(given));
  release(given, state);
});

test.serial("converts when asked to", async (t) => {
  using pair = await Pair.create();
  const given = await draw(4);
  await pair.load(given, { dtype: "float16" });
  const state = await pair.state();
  t.true(Object.values(state).every(({ dtype }) => dtype === "float16"));
  await pair.to({ dtype: "float32" });
  const wide = await pair.state();
  t.true(Object.values(wide).every(({ dtype }) => dtype === "float32"));
  await pair.load(given);
  release(given, state, wide);
});

test.serial("initialises as torch.nn does", async (t) => {
  const states: Readonly<Record<string, readonly number[]>>[] = [];
  for (const seed of [5, 5, 6]) {
    using pair = await Pair.create();
    await pair.initialise(seed);
    const state = await pair.state();
    states.push(await values(state));
    release(state);
  }
  t.deepEqual(states[0], states[1]);
  t.notDeepEqual(states[0], states[2]);
  const bound = { linear_1: 1 / Math.sqrt(4), linear_2: 1 / Math.sqrt(6) };
  for (const [name, list] of Object.entries(states[0]!)) {
    const limit = name.startsWith("linear_1") ? bound.linear_1 : bound.linear_2;
    const largest = Math.max(...list.map(Math.abs));
    t.true(largest <= limit && largest > limit / 2, `${name}: ${largest} of ${limit}`);
  }
});

test.serial("has no state before it has parameters", async (t) => {
  using pair = await Pair.create();
  await t.throwsAsync(pair.state(), { instanceOf: MusicLDMError, message: /linear_1\.bias/ });
  await t.throwsAsync(pair.to({ dtype: "float16" }), { instanceOf: MusicLDMError });
  await t.throwsAsync(pair.initialise(-1), { code: "E_ARGUMENT" });
});

test.serial("leaves no handle behind", async (t) => {
  const { handles } = memory();
  {
    using pair = await Pair.create();
    await pair.initialise(1);
    release(await pair.state());
    t.is(memory().handles, handles + 1);
  }
  t.is(memory().handles, handles);
});
