import { cp, mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import {
  Checkpoint,
  openFolder,
  readSafetensors,
  readTorchFile,
  weightsHash,
  writeTorch,
} from "../lib/checkpoint/index.js";
import type { TorchValue, TorchWritable } from "../lib/checkpoint/index.js";
import { Vocoder } from "../lib/latent/vocoder.js";
import { memory } from "../lib/runtime/native.js";
import { Tensor } from "../lib/tensor/tensor.js";

const golden = "test/goldens/musicldm-tiny";
const folder = await mkdtemp(join(tmpdir(), "musicldm-torch-write-"));
const start = memory();

test.after.always("lifetime: no handle is left", async (t) => {
  await rm(folder, { recursive: true, force: true });
  t.deepEqual(memory(), start);
});

test.serial("every tensor dtype and shape makes a round trip, on 64-byte borders", async (t) => {
  const path = join(folder, "round.pt");
  using source = await Tensor.randn([3, 5], { seed: 4 });
  const tensors: Record<string, Tensor> = {};
  for (const dtype of ["float32", "float16", "bfloat16", "int64", "bool"] as const) {
    tensors[dtype] = await source.to(dtype);
  }
  tensors["strided"] = await source.transpose(0, 1);
  tensors["scalar"] = await Tensor.full([], 3);
  tensors["empty"] = await Tensor.zeros([2, 0, 3]);
  await writeTorch(path, { tensors });
  using checkpoint = await Checkpoint.open(path);
  t.deepEqual(
    checkpoint.entries.map(({ name }) => name),
    Object.keys(tensors),
  );
  t.true(checkpoint.entries.every(({ offset }) => offset % 64 === 0));
  for (const [name, tensor] of Object.entries(tensors)) {
    using read = await checkpoint.tensor(name);
    t.deepEqual(read.shape, tensor.shape);
    t.is(read.dtype, tensor.dtype);
    t.deepEqual(await read.data(), await tensor.data(), name);
    tensor.dispose();
  }
});

test.serial("plain data makes a round trip", async (t) => {
  const path = join(folder, "data.pt");
  using weight = await Tensor.full([2], 1.5);
  using moment = await Tensor.full([3], 2.5);
  const shared = [1, 2];
  const data: Record<string, TorchWritable> = {
    none: null,
    flags: [true, false],
    numbers: [0, -1, 2 ** 31, 2 ** 52, -(2n ** 70n), 2n ** 63n, 1.5, Infinity, -1e-300],
    text: "naïve 音",
    raw: new Uint8Array([0, 1, 255]),
    tuple: Object.freeze([1, Object.freeze([])]),
    set: new Set([1, "a"]),
    dict: new Map<TorchWritable, TorchWritable>([[0, { __proto__x: 1 }]]),
    twice: [shared, shared],
    state: { exp_avg: moment },
  };
  await writeTorch(path, { tensors: { weight }, data });
  using content = await readTorchFile(path);
  for (const key of ["none", "flags", "numbers", "text", "raw", "tuple", "set"]) {
    t.deepEqual(content.data.get(key), data[key] as TorchValue, key);
  }
  t.true(Object.isFrozen(content.data.get("tuple")));
  const [first, second] = content.data.get("twice") as readonly TorchValue[];
  t.is(first, second);
  t.deepEqual(
    content.data.get("dict"),
    new Map<TorchValue, TorchValue>([[0, new Map([["__proto__x", 1]])]]),
  );
  using all = await readTorchFile(path, { names: "all" });
  t.deepEqual([...((await all.tensors["state.exp_avg"]?.floats()) ?? [])], [2.5, 2.5, 2.5]);
});

test.serial("equal content gives equal bytes; stateKey places the state dict", async (t) => {
  using weight = await Tensor.full([2], 1);
  const paths = ["a.pt", "b.pt"].map((name) => join(folder, name));
  for (const path of paths) await writeTorch(path, { tensors: { weight } }, { stateKey: null });
  const [a, b] = await Promise.all(paths.map((path) => readFile(path)));
  t.true(a !== undefined && b !== undefined && a.equals(b));
  const path = join(folder, "generator.pt");
  await writeTorch(path, { tensors: { weight } }, { stateKey: "generator" });
  using checkpoint = await Checkpoint.open(path, { names: "all" });
  t.true(checkpoint.has("generator.weight"));
  using bare = await Checkpoint.open(paths[0] ?? "");
  t.true(bare.has("weight"));
});

/** The tiny model folder with one part as pytorch_model.bin. */
async function pickledVocoder(): Promise<string> {
  const copy = join(folder, "model");
  await cp(golden, copy, { recursive: true });
  const weights = join(copy, "vocoder", "model.safetensors");
  using content = await readSafetensors(weights);
  const path = join(copy, "vocoder", "pytorch_model.bin");
  await writeTorch(path, { tensors: content.tensors }, { stateKey: null });
  await rm(weights);
  return copy;
}

test.serial("a model folder with pytorch_model.bin opens, hashes and loads alike", async (t) => {
  const copy = await pickledVocoder();
  const opened = await openFolder(copy);
  t.regex(opened.vocoder.weights.paths[0] ?? "", /pytorch_model\.bin$/);
  t.is(await weightsHash(opened), await weightsHash(await openFolder(golden)));
  using mel = await Tensor.randn([1, 4, 64], { seed: 1 });
  const waves: Float32Array[] = [];
  for (const model of [golden, copy]) {
    const { vocoder } = await openFolder(model);
    using network = await Vocoder.create(vocoder.config);
    using checkpoint = await Checkpoint.open(vocoder.weights.paths);
    await network.load(checkpoint);
    using wave = await network.vocode(mel);
    waves.push(await wave.floats());
  }
  t.deepEqual(waves[1], waves[0]);
});

test.serial("invalid input leaves nothing behind", async (t) => {
  const before = await readdir(folder);
  using weight = await Tensor.ones([2]);
  const tensors = { weight };
  const cyclic: TorchWritable[] = [];
  cyclic.push(cyclic);
  const bad: Record<string, unknown>[] = [
    { f: () => 1 },
    { date: new Date() },
    { f: undefined },
    { huge: 2n ** 4000n },
    { deep: Array.from({ length: 600 }).reduce<unknown>((inner) => [inner], 1) },
  ];
  for (const data of bad) {
    const written = writeTorch(join(folder, "x"), { tensors, data: data as never });
    await t.throwsAsync(written, { code: "E_ARGUMENT" });
  }
  const number = writeTorch(join(folder, "x"), { tensors: { weight: 5 as never } });
  await t.throwsAsync(number, { code: "E_ARGUMENT" });
  const beside = writeTorch(join(folder, "x"), { tensors, data: { a: 1 } }, { stateKey: null });
  await t.throwsAsync(beside, { code: "E_ARGUMENT" });
  await t.throwsAsync(writeTorch(join(folder, "no", "x"), { tensors }), { code: "E_IO" });
  const signal = AbortSignal.abort();
  const aborted = writeTorch(join(folder, "x"), { tensors }, { signal });
  await t.throwsAsync(aborted, { code: "E_ABORTED" });
  t.deepEqual(await readdir(folder), before);
});
