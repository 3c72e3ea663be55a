import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { Checkpoint } from "../lib/checkpoint/index.js";
import { MusicLDMError } from "../lib/runtime/errors.js";
import { memory } from "../lib/runtime/native.js";
import { integers } from "./helpers/safetensors.js";
import { dictOp, pickle, tensorOp, torchLegacy, torchZip, zipBytes } from "./helpers/torch.js";
import type { ZipEntry } from "./helpers/torch.js";

const folder = await mkdtemp(join(tmpdir(), "musicldm-torch-archive-"));
const path = join(folder, "file.pt");
const start = memory();
const floats = Buffer.alloc(32, 1);
const data = pickle(dictOp({ x: tensorOp() }));

test.after.always("lifetime: no handle is left", async (t) => {
  await rm(folder, { recursive: true, force: true });
  t.deepEqual(memory(), start);
});

const body: ZipEntry = { name: "archive/data.pkl", data };
const storage: ZipEntry = { name: "archive/data/0", data: floats };

/** An extra field with sizes of 64 bits, and the sizes that refer to it. */
function wide(size: bigint): Partial<ZipEntry> {
  const extra = Buffer.alloc(20);
  extra.writeUInt16LE(1, 0);
  extra.writeUInt16LE(16, 2);
  extra.writeBigUInt64LE(size, 4);
  extra.writeBigUInt64LE(size, 12);
  return { size: 0xffffffff, extra };
}

const refused: readonly [string, Buffer, RegExp][] = [
  ["no data.pkl", zipBytes([storage]), /an entry data\.pkl/],
  ["no storage", zipBytes([body]), /an entry data\/0/],
  ["an entry twice", zipBytes([body, storage, storage]), /different names/],
  [
    "two folders",
    zipBytes([body, { ...storage, name: "other/data/0" }]),
    /entries below one folder/,
  ],
  ["a path upwards", zipBytes([body, { ...storage, name: "archive/../x" }]), /relative path/],
  ["an absolute path", zipBytes([{ ...body, name: "/archive/data.pkl" }]), /absolute path/],
  ["a backslash", zipBytes([{ ...body, name: "archive\\data.pkl" }]), /invalid characters/],
  ["deflated data", zipBytes([body, { ...storage, method: 8 }]), /stored as it is/],
  ["a deflated pickle", zipBytes([{ ...body, method: 8 }, storage]), /stored as it is/],
  ["encrypted data", zipBytes([body, { ...storage, flags: 1 }]), /stored as it is|mismatch/],
  ["a storage that is too short", zipBytes([body, { ...storage, size: 31 }]), /32 bytes/],
  ["a storage beyond the file", zipBytes([body, { ...storage, size: 1e9 }]), /overflows/],
  ["a pickle beyond the file", zipBytes([{ ...body, size: 1e9 }, storage]), /overflows/],
  ["an entry inside another", zipBytes([body, { ...storage, offset: 2 }]), /signature|bytes/],
  ["an entry at another's place", zipBytes([body, { ...storage, offset: 0 }]), /overlaps/],
  ["2^63 bytes", zipBytes([body, { ...storage, ...wide(2n ** 63n) }]), /overflows/],
  ["2^64 - 1 bytes", zipBytes([body, { ...storage, ...wide(2n ** 64n - 1n) }]), /overflows/],
  ["an extra field cut short", zipBytes([{ ...body, extra: Buffer.from([1, 0, 9, 0]) }]), /extra/],
  ["65,535 entries that are not there", zipBytes([body, storage], 65535), /signature|EOF/i],
  [
    "big-endian data",
    zipBytes([body, { name: "archive/byteorder", data: Buffer.from("big") }]),
    /big/,
  ],
  ["TorchScript", zipBytes([body, { name: "archive/constants.pkl", data }]), /TorchScript/],
  ["a legacy file with another count", legacy(7), /8 elements/],
  ["a legacy file without its data", legacy(8).subarray(0, -1), /within/],
  ["a legacy file without its storages", torchLegacy(data), /1 keys/],
  ["a pickle of another writer", Buffer.from("\x80\x04}.", "latin1"), /another writer/],
  ["a tar file", tar(), /tar file/],
];

function legacy(count: number): Buffer {
  return torchLegacy(data, [{ key: "0", count, bytes: floats }]);
}

function tar(): Buffer {
  const bytes = Buffer.alloc(1024);
  bytes.write("storages", 0);
  bytes.write("ustar", 257);
  return bytes;
}

for (const [title, bytes, reason] of refused) {
  test.serial(`refuses ${title}`, async (t) => {
    await writeFile(path, bytes);
    const error = await t.throwsAsync(Checkpoint.open(path), { code: "E_CHECKPOINT" });
    t.regex(error?.message ?? "", reason);
    t.true(error?.message.includes(path));
  });
}

test.serial("sizes of 64 bits are read", async (t) => {
  await writeFile(path, zipBytes([body, { ...storage, ...wide(32n) }]));
  using checkpoint = await Checkpoint.open(path);
  using tensor = await checkpoint.tensor("x");
  t.deepEqual(tensor.shape, [2, 4]);
});

/** Open the file and take each tensor; say what became of it. */
async function outcome(bytes: Buffer): Promise<string> {
  await writeFile(path, bytes);
  try {
    using checkpoint = await Checkpoint.open(path, { names: "all" });
    for (const { name, dtype } of checkpoint.entries) {
      const options = dtype === "F64" ? ({ dtype: "float32" } as const) : {};
      using tensor = await checkpoint.tensor(name, options);
      await tensor.floats();
    }
    return "opened";
  } catch (error) {
    return error instanceof MusicLDMError ? error.code : String(error);
  }
}

test.serial("files that end early, at every byte, are E_CHECKPOINT", async (t) => {
  const files = [
    torchZip(data, { 0: floats }),
    legacy(8),
    await readFile("test/goldens/torch/small.bin"),
    await readFile("test/goldens/torch/small-legacy.bin"),
  ];
  for (const bytes of files) {
    t.is(await outcome(bytes), "opened");
    for (let length = 0; length < bytes.length; length++) {
      t.is(await outcome(bytes.subarray(0, length)), "E_CHECKPOINT", `${length} bytes`);
    }
  }
});

const fixtures = ["plain.pt", "plain-legacy.pt", "laion.pt", "laion-legacy.pt", "lightning.ckpt"];
const pieces = ["\x81", "R", "(", "t", "}", "]", "q\x00", "h\x00", "2", "0", "b", "u", "e", "."];

/** Damage a file in one to four ways: bits, length, pieces of pickle, numbers of all sizes. */
function mutate(source: Buffer, next: (bound: number) => number): Buffer {
  let bytes = Buffer.from(source);
  for (let count = 1 + next(4); count > 0 && bytes.length > 16; count--) {
    const at = next(bytes.length - 8);
    const kind = next(8);
    if (kind < 3) bytes[at] = (bytes[at] ?? 0) ^ (1 << next(8));
    if (kind === 3) bytes[at] = next(256);
    if (kind === 4) bytes.write(pieces[next(pieces.length)] ?? "", at, "latin1");
    if (kind === 5) bytes.writeUInt32LE(next(2) === 0 ? 0xffffffff : next(1 << 30), at);
    if (kind === 6) bytes.copy(bytes, at, next(bytes.length), next(bytes.length));
    if (kind === 7 && next(8) === 0) bytes = bytes.subarray(0, at);
  }
  return bytes;
}

test.serial("10,000 mutations give a checkpoint or E_CHECKPOINT, and nothing else", async (t) => {
  const sources = await Promise.all(
    fixtures.map((name) => readFile(join("test/goldens/torch", name))),
  );
  const next = integers(20221211);
  const counts = { opened: 0, refused: 0 };
  for (let i = 0; i < 10_000; i++) {
    const code = await outcome(mutate(sources[i % sources.length] ?? floats, next));
    if (code === "opened") counts.opened++;
    else if (code === "E_CHECKPOINT") counts.refused++;
    else t.fail(`mutation ${i} of ${fixtures[i % sources.length]}: ${code}`);
  }
  t.log(counts);
  t.true(counts.opened > 500 && counts.refused > 3000);
});
