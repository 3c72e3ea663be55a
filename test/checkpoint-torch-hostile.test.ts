import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { Checkpoint, TorchObject } from "../lib/checkpoint/index.js";
import type { TorchDict } from "../lib/checkpoint/index.js";
import { memory } from "../lib/runtime/native.js";
import {
  dictOp,
  integerOp,
  opcodes,
  pickle,
  tensorOp,
  textOp,
  torchLegacy,
  torchZip,
  tupleOp,
} from "./helpers/torch.js";
import type { TensorFields } from "./helpers/torch.js";

const folder = await mkdtemp(join(tmpdir(), "musicldm-torch-hostile-"));
const path = join(folder, "file.pt");
const marker = join(folder, "executed");
const start = memory();
const floats = Buffer.from(new Float32Array([0, 1, 2, 3, 4, 5, 6, 7]).buffer);

test.after.always("lifetime: no handle is left, nothing was run", async (t) => {
  t.false(existsSync(marker));
  await rm(folder, { recursive: true, force: true });
  t.deepEqual(memory(), start);
});

async function open(bytes: Buffer): Promise<Checkpoint> {
  await writeFile(path, bytes);
  return Checkpoint.open(path);
}

const command = tupleOp(textOp(`touch ${marker}`));
const called = (name: string, args = command) => opcodes(`c${name}\n`, args, "R");
const many = (count: number, ...parts: (string | Buffer)[]) =>
  opcodes(...Array<Buffer>(count).fill(opcodes(...parts)));

/** Lists of lists, each twice the one before. */
const doubling = opcodes("]q\x00", many(100, "0](h\x00h\x00eq\x00"));

const refused: readonly [string, Buffer, RegExp][] = [
  ["os.system", called("os\nsystem"), /call.*os\.system/],
  ["posix.system", called("posix\nsystem"), /posix\.system/],
  ["builtins.eval", called("builtins\neval"), /builtins\.eval/],
  ["Python 2's eval", called("__builtin__\neval"), /builtins\.eval/],
  ["getattr", called("builtins\ngetattr"), /builtins\.getattr/],
  ["a class of subprocess", called("subprocess\nPopen"), /subprocess\.Popen/],
  ["torch's own loader", called("torch\nload"), /torch\.load/],
  ["a global by two texts", opcodes(textOp("os"), textOp("system"), "\x93", command, "R"), /os\.s/],
  [
    "a call inside a call",
    called("os\nsystem", tupleOp(called("os\ngetcwd", tupleOp()))),
    /getcwd/,
  ],
  ["a call of text", opcodes(textOp("os.system"), command, "R"), /a global to call/],
  ["a call without a tuple", opcodes("cos\nsystem\n", integerOp(1), "R"), /a tuple/],
  ["an extension code", opcodes("\x82\x01"), /operation 0x82/],
  ["a buffer out of band", opcodes("\x97"), /operation 0x97/],
  ["a persistent identifier in text", opcodes("P0\n"), /operation 0x50/],
  ["protocol 9", opcodes("\x80\x09N"), /protocol 0 to 5/],
  ["an empty stack", Buffer.alloc(0), /value on the stack/],
  ["a mark that is not there", opcodes("t"), /value on the stack/],
  ["a memo entry that is not there", opcodes("h\x05"), /memo entry/],
  ["items for a tuple", opcodes("(](t", integerOp(1), "a"), /list to append/],
  ["items for a number", opcodes("K\x01(", integerOp(1), "e"), /list to append/],
  ["half a pair", opcodes("}(", textOp("a"), "u"), /pairs/],
  ["a state for a list", opcodes("]}b"), /has a state/],
  ["an integer of a megabyte", opcodes("\x8b\x00\x00\x10\x00"), /256 bytes/],
  ["digits without end", opcodes(`L${"9".repeat(100_000)}L\n`), /600 digits/],
  ["a number that is none", opcodes("Fone\n"), /a number/],
  ["text that is no UTF-8", opcodes("X\x02\x00\x00\x00\xff\xff"), /UTF-8/],
  ["text beyond the file", opcodes("X\xff\xff\xff\x7f"), /whole pickle/],
  ["bytes of 2^60", opcodes("\x8e\x00\x00\x00\x00\x00\x00\x00\x10"), /lengths up to/],
  ["a million bytes by number", called("builtins\nbytearray", tupleOp(integerOp(1e12))), /Latin-1/],
  ["copies of copies", copies(), /proportion/],
  ["2,000 levels", opcodes(many(2000, "("), many(2000, "t")), /levels/],
  ["2,000 levels of tuples", opcodes(")", many(2000, "\x85")), /levels/],
  ["a storage that is a number", opcodes(integerOp(1), "Q"), /a tuple/],
  ["a storage without elements", opcodes(tupleOp(textOp("storage")), "Q"), /storage class/],
];

/** A list is copied, and the copy again, and so on. */
function copies(): Buffer {
  const one = opcodes("cbuiltins\nlist\nq\x01](", many(1000, "N"), "eq\x000");
  return opcodes(one, many(2000, "h\x01h\x00\x85R0"), "N");
}

for (const [title, value, reason] of refused) {
  test.serial(`refuses ${title}`, async (t) => {
    for (const file of [torchZip(pickle(value)), torchLegacy(pickle(value))]) {
      const error = await t.throwsAsync(open(file), { code: "E_CHECKPOINT" });
      t.regex(error?.message ?? "", reason);
      t.true(error?.message.includes(path));
    }
  });
}

const badTensors: readonly [string, TensorFields, RegExp][] = [
  ["a negative offset", { offset: -1 }, /0 or more/],
  ["an offset beyond the storage", { offset: 1 }, /at most 8 elements/],
  ["a negative stride", { strides: [-4, 1] }, /0 or more/],
  ["a stride beyond the storage", { strides: [5, 1] }, /at most 8 elements/],
  ["a negative size", { shape: [-2, 4] }, /0 or more/],
  ["a size that is too large", { shape: [3, 4] }, /at most 8 elements/],
  ["an expansion to 2^40 elements", { shape: [2 ** 20, 2 ** 20], strides: [0, 0] }, /at most 8/],
  ["sizes whose product overflows", { shape: Array<number>(9).fill(2 ** 50) }, /as many strides/],
  ["65 dimensions", { shape: Array<number>(65).fill(1) }, /0 or more/],
  ["more sizes than strides", { shape: [2, 2, 2] }, /as many strides/],
  ["a storage that is too short", { elements: 9 }, /36 bytes|9 elements|bytes/],
  ["a storage class of another kind", { storage: "Storage" }, /storage class/],
  ["a storage class that is a function", { storage: "load" }, /storage class/],
  ["a key that is no entry", { key: "7" }, /an entry data\/7|key of a storage|keys/],
  ["a key that leads out", { key: "../data.pkl" }, /key of letters/],
  ["a view beyond its storage", { view: tupleOp(textOp("v"), integerOp(4), integerOp(5)) }, /view/],
];

for (const [title, fields, reason] of badTensors) {
  test.serial(`refuses ${title}`, async (t) => {
    const data = pickle(dictOp({ x: tensorOp(fields) }));
    const legacy = torchLegacy(data, [{ key: "0", count: 8, bytes: floats }]);
    for (const file of [torchZip(data, { 0: floats }), legacy]) {
      const error = await t.throwsAsync(open(file), { code: "E_CHECKPOINT" });
      t.regex(error?.message ?? "", reason);
    }
  });
}

test.serial("sizes that grow after they were checked change nothing", async (t) => {
  const sizes = opcodes("](", integerOp(8), "eq\x05");
  const tensor = opcodes(
    sizes,
    "0ctorch._utils\n_rebuild_tensor\n(",
    tupleOp(textOp("storage"), "ctorch\nFloatStorage\n", textOp("0"), textOp("cpu"), integerOp(8)),
    "Q",
    integerOp(0),
    "h\x05](",
    integerOp(1),
    "etR",
  );
  const data = pickle(tensor, "h\x05", integerOp(1000), "a0");
  using checkpoint = await open(torchZip(data, { 0: floats }));
  t.deepEqual(checkpoint.entries[0]?.shape, [8]);
});

test.serial("a view inside a legacy storage begins where it says", async (t) => {
  const view = tupleOp(textOp("v"), integerOp(4), integerOp(4));
  const data = pickle(dictOp({ x: tensorOp({ view, shape: [2], strides: [2], offset: 1 }) }));
  using checkpoint = await open(torchLegacy(data, [{ key: "0", count: 8, bytes: floats }]));
  using tensor = await checkpoint.tensor("x");
  t.deepEqual([...(await tensor.floats())], [5, 7]);
});

test.serial("shared, cyclic and doubling values cost no more than their size", async (t) => {
  const cyclic = opcodes("]q\x03h\x03a");
  const data = pickle(dictOp({ cyclic, doubling, x: tensorOp() }));
  using checkpoint = await open(torchZip(data, { 0: floats }));
  t.deepEqual(
    checkpoint.entries.map(({ name }) => name),
    ["x"],
  );
  t.deepEqual([...checkpoint.extras().keys()], ["cyclic", "doubling"]);
});

test.serial("an unknown class is a record, whatever it is called", async (t) => {
  const made = opcodes("cos\nsystem\n", command, "\x81}(", textOp("a"), integerOp(1), "ub");
  const old = opcodes("(", textOp("x"), "ios\nsystem\n");
  const data = pickle(dictOp({ made, old, name: opcodes("cos\nsystem\n") }));
  using checkpoint = await open(torchZip(data));
  for (const key of ["made", "old"]) {
    const value = checkpoint.extras().get(key);
    t.true(value instanceof TorchObject && value.className === "os.system");
  }
});

test.serial("keys of JavaScript's own objects are keys like others", async (t) => {
  const inner = dictOp({ __proto__x: integerOp(1) });
  const polluted = opcodes("}(", textOp("__proto__"), dictOp({ polluted: integerOp(1) }), "u");
  const tensors = opcodes(
    "}(",
    ...["__proto__", "constructor", "toString"].flatMap((key) => [textOp(key), tensorOp()]),
    "u",
  );
  const data = pickle(dictOp({ inner, polluted, state_dict: tensors }));
  using checkpoint = await open(torchZip(data, { 0: floats }));
  t.is(({} as Record<string, unknown>)["polluted"], undefined);
  const value = checkpoint.extras().get("polluted") as TorchDict;
  t.true(value.has("__proto__"));
  using tensor = await checkpoint.tensor("__proto__");
  t.deepEqual(tensor.shape, [2, 4]);
});

test.serial("a name twice after its prefix was cut is refused", async (t) => {
  const tensors = { "module.a": tensorOp(), a: tensorOp() };
  const file = torchZip(pickle(dictOp(tensors)), { 0: floats });
  await t.throwsAsync(open(file), { code: "E_CHECKPOINT", message: /no name twice.*"a"/ });
});

test.serial("containers without end in little space end in bounded memory", async (t) => {
  const before = process.memoryUsage().rss;
  const data = pickle("(", Buffer.alloc(4_000_000, "}"), "t");
  await t.throwsAsync(open(torchZip(data)), { code: "E_CHECKPOINT", message: /containers/ });
  const grown = (process.memoryUsage().rss - before) / 2 ** 20;
  t.log(`${Math.round(grown)} MiB for 4 MB of empty dicts`);
  t.true(grown < 600);
});
