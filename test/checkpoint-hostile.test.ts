import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { Checkpoint } from "../lib/checkpoint/index.js";
import { MusicLDMError } from "../lib/runtime/errors.js";
import { memory } from "../lib/runtime/native.js";
import { integers, safetensorsBytes } from "./helpers/safetensors.js";

const folder = await mkdtemp(join(tmpdir(), "musicldm-hostile-"));
const path = join(folder, "file.safetensors");
const start = memory();
const data = Buffer.alloc(32, 1);

test.after.always("lifetime: no handle is left", async (t) => {
  await rm(folder, { recursive: true, force: true });
  t.deepEqual(memory(), start);
});

const entry = (fields: object) => ({
  dtype: "F32",
  shape: [2, 4],
  data_offsets: [0, 32],
  ...fields,
});
const one = (fields: object) => JSON.stringify({ x: entry(fields) });
const half = (begin: number, end: number) => entry({ shape: [4], data_offsets: [begin, end] });

const refused: readonly [string, string | Buffer, RegExp][] = [
  ["no JSON", "{x}", /JSON/],
  ["text after the JSON", `${one({})} x`, /JSON/],
  ["a list", "[]", /leading/],
  ["space before the JSON", ` ${one({})}`, /leading/],
  ["an empty header", "", /leading/],
  ["broken UTF-8", Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), /JSON in UTF-8/],
  [
    "a tensor twice",
    `{"x":${JSON.stringify(entry({}))},"x":${JSON.stringify(entry({}))}}`,
    /twice/,
  ],
  ["a field twice", '{"x":{"dtype":"F32","dtype":"F32","shape":[],"data_offsets":[0,4]}}', /once/],
  ["metadata twice", '{"__metadata__":{},"__metadata__":{}}', /twice/],
  ["a metadata key twice", '{"__metadata__":{"a":"","a":""}}', /twice/],
  ["metadata that is no text", '{"__metadata__":{"a":1}}', /a string/],
  ["nested metadata", '{"__metadata__":{"a":{"b":"c"}}}', /a string/],
  ["an unknown dtype", one({ dtype: "F33" }), /dtype/],
  ["a dtype that is no text", one({ dtype: 32 }), /dtype/],
  ["a negative size", one({ shape: [-2, 4] }), /whole numbers/],
  ["a fractional size", one({ shape: [2.5, 4] }), /whole numbers/],
  [
    "a size beyond 64 bits",
    '{"x":{"dtype":"F32","shape":[36893488147419103232],"data_offsets":[0,32]}}',
    /whole/,
  ],
  ["a product that overflows", one({ shape: [2 ** 32, 2 ** 32, 2 ** 32] }), /below 2\^63/],
  ["an empty tensor whose strides overflow", one({ shape: [0, 2 ** 40, 2 ** 40] }), /below 2\^63/],
  ["65 dimensions", one({ shape: Array(65).fill(1) }), /at most 64/],
  ["a shape that is too large", one({ shape: [3, 4] }), /48 bytes/],
  ["offsets the wrong way round", one({ data_offsets: [32, 0] }), /within 32 bytes/],
  ["offsets beyond the file", one({ data_offsets: [0, 64] }), /within 32 bytes/],
  ["three offsets", one({ data_offsets: [0, 32, 32] }), /two whole numbers/],
  ["one offset", one({ data_offsets: [0] }), /two whole numbers/],
  ["an unknown field", one({ more: 1 }), /once each/],
  ["a missing field", '{"x":{"dtype":"F32","shape":[8]}}', /data_offsets/],
  ["a tensor that is no object", '{"x":[1]}', /an object/],
  ["an overlap", JSON.stringify({ a: half(0, 16), b: half(8, 24) }), /holes or overlaps/],
  ["a hole", JSON.stringify({ a: half(0, 16), b: half(20, 36) }), /within|holes/],
  ["data that nothing names", JSON.stringify({ a: half(0, 16) }), /cover 32 bytes/],
  ["deep nesting", `{"x":${"[".repeat(100_000)}`, /an object/],
];

for (const [title, header, reason] of refused) {
  test.serial(`refuses ${title}`, async (t) => {
    await writeFile(path, safetensorsBytes(header, data));
    const error = await t.throwsAsync(Checkpoint.open(path), { code: "E_CHECKPOINT" });
    t.regex(error?.message ?? "", reason);
    t.true(error?.message.includes(path));
  });
}

test.serial("refuses lengths that the file does not have", async (t) => {
  const whole = safetensorsBytes(one({}), data);
  for (const size of [0, 7, 8, 20, whole.length - 1]) {
    await writeFile(path, whole.subarray(0, size));
    await t.throwsAsync(Checkpoint.open(path), { code: "E_CHECKPOINT" }, `${size} bytes`);
  }
  for (const length of [2n ** 64n - 1n, 2n ** 63n, 100_000_001n, 10_000n]) {
    whole.writeBigUInt64LE(length);
    await writeFile(path, whole);
    await t.throwsAsync(Checkpoint.open(path), { code: "E_CHECKPOINT" }, `length ${length}`);
  }
});

test.serial(
  "a dtype that is known but not readable is named when its tensor is asked for",
  async (t) => {
    await writeFile(path, safetensorsBytes(one({ dtype: "F8_E4M3", shape: [32] }), data));
    using checkpoint = await Checkpoint.open(path);
    const error = await t.throwsAsync(checkpoint.tensor("x"), { code: "E_CHECKPOINT" });
    t.regex(error?.message ?? "", /dtype of tensor "x".*F8_E4M3/);
  },
);

test.serial("absent and unreadable paths are E_IO and named", async (t) => {
  const cases = [join(folder, "absent"), folder, join(path, "below")];
  const locked = join(folder, "locked");
  await writeFile(locked, "");
  await chmod(locked, 0);
  if (process.getuid?.() !== 0) cases.push(locked);
  await mkdir(join(folder, "sub"));
  for (const name of cases) {
    const error = await t.throwsAsync(Checkpoint.open(name), { code: "E_IO" });
    t.true(error?.message.includes(name));
  }
});

const pieces = ["{", "}", "[", "]", '"', ",", ":", "-1", "1e9", "null", "[[", "\\ud800", "shape"];
const numbers = ["0", "1", "31", "33", "18446744073709551615", "9223372036854775807", "1e400"];

/** Damage a file in one to four ways: bits, length, header length, or the JSON's structure. */
function mutate(source: Buffer, next: (bound: number) => number): Buffer {
  let bytes = Buffer.from(source);
  for (let count = 1 + next(4); count > 0 && bytes.length > 16; count--) {
    const at = next(bytes.length);
    const pick = (list: readonly string[]) => Buffer.from(list[next(list.length)] ?? "");
    const splice = (removed: number, added: Buffer) =>
      Buffer.concat([bytes.subarray(0, at), added, bytes.subarray(at + removed)]);
    const kind = next(6);
    if (kind === 0) bytes[at] = (bytes[at] ?? 0) ^ (1 << next(8));
    if (kind === 1) bytes = bytes.subarray(0, at);
    if (kind === 2) bytes.writeUInt16LE(next(512), 0);
    if (kind === 3) bytes = splice(0, pick(pieces));
    if (kind === 4) bytes = splice(1 + next(8), Buffer.alloc(0));
    if (kind === 5) bytes = splice(next(3), pick(numbers));
    const repair = next(2) === 0 && bytes.length > 40;
    if (repair) bytes.writeBigUInt64LE(BigInt(bytes.length - 40), 0);
  }
  return bytes;
}

/** Open the file and take each tensor; say what became of it. */
async function outcome(): Promise<string> {
  try {
    using checkpoint = await Checkpoint.open(path);
    for (const { name } of checkpoint.entries) {
      (await checkpoint.tensor(name, { dtype: "float32" })).dispose();
    }
    return "opened";
  } catch (error) {
    return error instanceof MusicLDMError ? error.code : String(error);
  }
}

test.serial("10,000 mutations give a checkpoint or E_CHECKPOINT, and nothing else", async (t) => {
  const header = {
    __metadata__: { format: "pt", ü: "é" },
    a: { dtype: "F32", shape: [2, 3], data_offsets: [0, 24] },
    b: { dtype: "I64", shape: [], data_offsets: [24, 32] },
    c: { dtype: "BF16", shape: [0, 4], data_offsets: [32, 32] },
  };
  const source = safetensorsBytes(JSON.stringify(header), data);
  const next = integers(20230801);
  const counts = { opened: 0, refused: 0 };
  for (let i = 0; i < 10_000; i++) {
    await writeFile(path, mutate(source, next));
    const code = await outcome();
    if (code === "opened") counts.opened++;
    else if (code === "E_CHECKPOINT") counts.refused++;
    else t.fail(`mutation ${i}: ${code}`);
  }
  t.log(counts);
  t.true(counts.opened > 0 && counts.refused > 5000);
});
