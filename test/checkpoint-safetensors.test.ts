import { mkdtemp, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { Checkpoint, readSafetensors, writeSafetensors } from "../lib/checkpoint/index.js";
import { call, memory } from "../lib/runtime/native.js";
import type { NativeTensor } from "../lib/runtime/native.js";
import { Tensor } from "../lib/tensor/tensor.js";
import { safetensorsBytes } from "./helpers/safetensors.js";

const golden = "test/goldens/safetensors-dtypes.safetensors";
const folder = await mkdtemp(join(tmpdir(), "musicldm-safetensors-"));
const start = memory();

test.after.always("lifetime: no handle is left", async (t) => {
  await rm(folder, { recursive: true, force: true });
  t.deepEqual(memory(), start);
});

test.serial("a file of the Python package reads back value by value", async (t) => {
  using content = await readSafetensorsWithoutF64(golden);
  const values = async (name: string) => [...((await content.get(name)?.floats()) ?? [])];
  t.deepEqual(await values("f32"), [0, 1, 2.5, 3, 100, 7.25]);
  t.deepEqual(await values("f16"), [0, 1, 2.5, 3, 100, 7.25]);
  t.deepEqual(await values("bf16"), [0, 1, 2.5, 3, 100, 7.25]);
  for (const name of ["i64", "i32", "i16", "i8", "u8"]) {
    t.is(content.get(name)?.dtype, "int64");
    t.deepEqual(await values(name), [0, 1, 2, 3, 100, 7], name);
  }
  t.deepEqual(await values("bool"), [0, 1, 1, 1, 1, 1]);
  t.deepEqual(
    await content.get("signed")?.data(),
    new BigInt64Array([-(2n ** 62n), -1n, 2n ** 62n]),
  );
  t.deepEqual(content.get("scalar")?.shape, []);
  t.is(await content.get("scalar")?.item(), -0.5);
  t.deepEqual(content.get("empty")?.shape, [0, 4]);
  t.deepEqual(await values('naïve 音 "quoted"'), [1, -2]);
});

test.serial("metadata beyond ASCII reads back", async (t) => {
  using checkpoint = await Checkpoint.open(golden);
  t.deepEqual(checkpoint.metadata, { prompt: "naïve 音楽 🎵" });
  t.is(checkpoint.entries.length, 14);
  t.deepEqual(checkpoint.entries.find(({ name }) => name === "i16")?.shape, [2, 3]);
});

test.serial("writing the golden's tensors gives the golden's bytes", async (t) => {
  using checkpoint = await Checkpoint.open(golden);
  const tensors: Record<string, Tensor> = {};
  for (const { name } of checkpoint.entries) {
    const native = await call<NativeTensor>("checkpoint.tensor", [checkpoint, name]);
    tensors[name] = Tensor.fromNative(native);
  }
  const path = join(folder, "again.safetensors");
  await writeSafetensors(path, tensors, checkpoint.metadata);
  for (const tensor of Object.values(tensors)) tensor.dispose();
  t.true((await readFile(path)).equals(await readFile(golden)));
});

test.serial("F64 needs a dtype to convert to", async (t) => {
  using checkpoint = await Checkpoint.open(golden);
  await t.throwsAsync(checkpoint.tensor("f64"), { code: "E_DTYPE" });
  using narrow = await checkpoint.tensor("f64", { dtype: "float32" });
  t.deepEqual([...(await narrow.floats())], [0, 1, 2.5, 3, 100, 7.25]);
});

test.serial("every tensor dtype makes a round trip", async (t) => {
  const path = join(folder, "round.safetensors");
  const dtypes = ["float32", "float16", "bfloat16", "int64", "bool"] as const;
  using source = await Tensor.randn([3, 5], { seed: 4 });
  const tensors: Record<string, Tensor> = {};
  for (const dtype of dtypes) tensors[dtype] = await source.to(dtype);
  tensors["strided"] = await source.transpose(0, 1);
  tensors["scalar"] = await Tensor.full([], 3);
  tensors["empty"] = await Tensor.zeros([2, 0, 3]);
  await writeSafetensors(path, tensors, { "": "", clé: "valeur 🎵", constructor: "x" });
  using read = await readSafetensors(path);
  t.deepEqual({ ...read.metadata }, { "": "", clé: "valeur 🎵", constructor: "x" });
  t.deepEqual(Object.keys(read.tensors).sort(), Object.keys(tensors).sort());
  for (const [name, tensor] of Object.entries(tensors)) {
    t.deepEqual(read.tensors[name]?.shape, tensor.shape);
    t.is(read.tensors[name]?.dtype, tensor.dtype);
    t.deepEqual(await read.tensors[name]?.data(), await tensor.data(), name);
    tensor.dispose();
  }
});

test.serial("no tensors at all is a file as well", async (t) => {
  const path = join(folder, "none.safetensors");
  await writeSafetensors(path, {});
  using read = await readSafetensors(path);
  t.deepEqual(read.tensors, {});
});

test.serial("unaligned data is copied", async (t) => {
  const path = join(folder, "unaligned.safetensors");
  const header = { x: { dtype: "F32", shape: [2], data_offsets: [0, 8] } };
  const text = JSON.stringify(header);
  const padded = text + " ".repeat((9 - (text.length % 8)) % 8);
  await writeFile(path, safetensorsBytes(padded, Buffer.from(new Float32Array([1.5, -2]).buffer)));
  using read = await readSafetensors(path);
  t.deepEqual(await read.tensors["x"]?.data(), new Float32Array([1.5, -2]));
});

test.serial("shards open as one, and a tensor in two of them is refused", async (t) => {
  const paths = ["a", "b"].map((name) => join(folder, `${name}.safetensors`));
  for (const [i, path] of paths.entries()) {
    using tensor = await Tensor.full([2], i);
    await writeSafetensors(path, { [`t${i}`]: tensor }, { common: String(i), [`k${i}`]: "v" });
  }
  using both = await Checkpoint.open(paths);
  t.deepEqual({ ...both.metadata }, { common: "0", k0: "v", k1: "v" });
  using second = await both.tensor("t1");
  t.deepEqual([...(await second.floats())], [1, 1]);
  const twice = Checkpoint.open([...paths, paths[0] ?? ""]);
  const error = await t.throwsAsync(twice, { code: "E_CHECKPOINT" });
  t.regex(error?.message ?? "", /"t0".*also in/);
});

test.serial("tensors outlive their checkpoint, and the file's replacement", async (t) => {
  const path = join(folder, "kept.safetensors");
  using old = await Tensor.full([4], 1);
  using fresh = await Tensor.full([4], 2);
  await writeSafetensors(path, { x: old });
  const checkpoint = await Checkpoint.open(path);
  using kept = await checkpoint.tensor("x");
  checkpoint.dispose();
  await writeSafetensors(path, { x: fresh });
  t.deepEqual([...(await kept.floats())], [1, 1, 1, 1]);
  await rename(path, join(folder, "moved.safetensors"));
  t.deepEqual([...(await kept.floats())], [1, 1, 1, 1]);
});

test.serial("a failed or aborted write leaves nothing behind", async (t) => {
  const before = await readdir(folder);
  using tensor = await Tensor.ones([8]);
  await t.throwsAsync(writeSafetensors(join(folder, "no", "x"), { tensor }), { code: "E_IO" });
  await t.throwsAsync(writeSafetensors(folder, { tensor }), { code: "E_IO" });
  const signal = AbortSignal.abort();
  const aborted = writeSafetensors(join(folder, "x"), { tensor }, {}, { signal });
  await t.throwsAsync(aborted, { code: "E_ABORTED" });
  const reserved = writeSafetensors(join(folder, "x"), { __metadata__: tensor });
  await t.throwsAsync(reserved, { code: "E_ARGUMENT" });
  t.deepEqual(await readdir(folder), before);
});

test.serial("invalid input", async (t) => {
  await t.throwsAsync(Checkpoint.open([]), { code: "E_ARGUMENT" });
  const checkpoint = await Checkpoint.open(golden);
  await t.throwsAsync(checkpoint.tensor("absent"), { code: "E_CHECKPOINT", message: /absent/ });
  checkpoint.dispose();
  await t.throwsAsync(checkpoint.tensor("f32"), { code: "E_DISPOSED" });
  await t.throwsAsync(readSafetensors(golden), { code: "E_DTYPE" });
});

/** The golden's tensors apart from the one that tensors cannot hold. */
async function readSafetensorsWithoutF64(path: string) {
  using checkpoint = await Checkpoint.open(path);
  const tensors = new Map<string, Tensor>();
  for (const { name, dtype } of checkpoint.entries) {
    if (dtype !== "F64") tensors.set(name, await checkpoint.tensor(name));
  }
  const release = (): void => tensors.forEach((tensor) => tensor.dispose());
  return { get: (name: string) => tensors.get(name), [Symbol.dispose]: release };
}
