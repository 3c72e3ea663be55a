import { copyFile, mkdtemp, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { EmbeddingIndex } from "../lib/clap/embedding-index.js";
import type { IndexRow } from "../lib/clap/index-input.js";
import { MusicLDMError } from "../lib/runtime/errors.js";
import { runChild } from "./helpers/child.js";
import { integers } from "./helpers/safetensors.js";

const folder = await mkdtemp(join(tmpdir(), "musicldm-index-"));
const model = { embeddingSize: 16, fingerprint: "test" };

function unit(values: ArrayLike<number>): Float32Array {
  const norm = Math.hypot(...Array.from(values));
  return Float32Array.from(values, (value) => value / norm);
}

/** Rows of random direction: `each` for every file. */
function randomRows(seed: number, files: number, each: number): IndexRow[] {
  const random = integers(seed);
  return Array.from({ length: files * each }, (_, i) => ({
    file: `set/${Math.floor(i / each)}.wav`,
    startSeconds: i % each,
    endSeconds: (i % each) + 2,
    embedding: unit(Array.from({ length: 16 }, () => random(2001) - 1000)),
  }));
}

function dot(left: Float32Array, right: Float32Array): number {
  return left.reduce((sum, value, i) => sum + value * (right[i] ?? 0), 0);
}

test("search equals sorting by cosine", async (t) => {
  await using index = await EmbeddingIndex.open(":memory:", model);
  const rows = randomRows(1, 40, 50);
  await index.add(rows.slice(0, 777));
  await index.add(rows.slice(777));
  const query = unit(rows[5]!.embedding.map((value, i) => value + (i % 3) / 10));
  const wanted = rows
    .map((row) => ({ ...row, score: dot(row.embedding, query) }))
    .sort((a, b) => b.score - a.score);
  const hits = await index.search(query, { limit: 25 });
  t.is(hits.length, 25);
  for (const [i, hit] of hits.entries()) {
    const { file, startSeconds, endSeconds, score } = wanted[i]!;
    t.deepEqual({ ...hit, score: 0 }, { file, startSeconds, endSeconds, score: 0 });
    t.true(Math.abs(hit.score - score) < 1e-6);
  }
  t.is((await index.search(query)).length, 10);
  const { files, rows: count } = await index.stats();
  t.deepEqual([files, count], [40, 2000]);
});

test("hits can be limited by file and by name", async (t) => {
  await using index = await EmbeddingIndex.open(":memory:", model);
  const rows = randomRows(2, 10, 20);
  await index.add(rows);
  const query = rows[0]!.embedding;
  const perFile = await index.search(query, { limit: 100, perFile: 2 });
  t.is(perFile.length, 20);
  for (let file = 0; file < 10; file += 1) {
    t.is(perFile.filter((hit) => hit.file === `set/${file}.wav`).length, 2);
  }
  const filtered = await index.search(query, { limit: 100, filter: "*/[12].wav" });
  t.deepEqual([...new Set(filtered.map(({ file }) => file))].sort(), ["set/1.wav", "set/2.wav"]);
  t.deepEqual(await index.search(query, { filter: "' OR 1=1 --" }), []);
  const scores = perFile.map(({ score }) => score);
  t.deepEqual(
    scores,
    [...scores].sort((a, b) => b - a),
  );
});

test("equal rows come in the order in which they were added", async (t) => {
  await using index = await EmbeddingIndex.open(":memory:", model);
  const [first] = randomRows(3, 1, 1);
  const rows = Array.from({ length: 30 }, (_, i) => ({ ...first!, file: `${29 - i}.wav` }));
  await index.add(rows);
  const hits = await index.search(first!.embedding, { limit: 30 });
  t.deepEqual(
    hits.map(({ file }) => file),
    rows.map(({ file }) => file),
  );
  t.true(Math.abs(hits[0]!.score - 1) < 1e-6);
});

test("files are replaced, renamed and removed with their rows, and survive closing", async (t) => {
  const path = join(folder, "files.duckdb");
  const [a, b, c, d] = randomRows(4, 4, 1);
  const state = { size: 10, modified: 1.5, hash: "aa" };
  {
    await using index = await EmbeddingIndex.open(path, model);
    await index.replace([
      { file: "a 'quoted'.wav", ...state, rows: [a!, b!] },
      { file: "b.wav", rows: [c!] },
    ]);
    await index.replace([{ file: "a 'quoted'.wav", ...state, hash: "bb", rows: [d!] }]);
    await index.rename("b.wav", { file: "čé/🎵.wav", ...state });
  }
  await using index = await EmbeddingIndex.open(path, model);
  t.deepEqual(
    [...(await index.files())].sort((x, y) => (x.file < y.file ? -1 : 1)),
    [
      { file: "a 'quoted'.wav", ...state, hash: "bb" },
      { file: "čé/🎵.wav", ...state },
    ],
  );
  const [best] = await index.search(c!.embedding, { limit: 1 });
  t.is(best?.file, "čé/🎵.wav");
  await index.remove(["čé/🎵.wav", "never there"]);
  const { files, rows } = await index.stats();
  t.deepEqual([files, rows], [1, 1]);
  await index.setProperty("note", "1");
  await index.setProperty("note", "2");
  t.is(await index.property("note"), "2");
  t.is(await index.property("nothing"), null);
});

test("calls beside each other do not mix", async (t) => {
  await using index = await EmbeddingIndex.open(join(folder, "beside.duckdb"), model);
  const rows = randomRows(5, 8, 100);
  const parts = Array.from({ length: 8 }, (_, i) => rows.slice(i * 100, (i + 1) * 100));
  const query = rows[0]!.embedding;
  const found = await Promise.all([
    ...parts.map((part) => index.add(part)),
    ...parts.map(() => index.search(query, { limit: 1000 })),
  ]);
  for (const hits of found.slice(8)) t.is((hits as unknown[]).length % 100, 0);
  t.is((await index.stats()).rows, 800);
});

test("a process that is killed while it writes loses only what was not committed", async (t) => {
  const path = join(folder, "killed.duckdb");
  const { signal } = await runChild(`
    import { EmbeddingIndex } from "./lib/clap/embedding-index.js";
    const model = { embeddingSize: 16, fingerprint: "test" };
    const index = await EmbeddingIndex.open(${JSON.stringify(path)}, model);
    const embedding = new Float32Array(16).fill(0.25);
    const rows = Array.from({ length: 500 }, (_, i) => {
      return { file: "a.wav", startSeconds: i, endSeconds: i + 1, embedding };
    });
    await index.add(rows);
    await index.add(rows);
    void index.add(Array.from({ length: 200 }, () => rows).flat());
    setTimeout(() => process.kill(process.pid, "SIGKILL"), 30);
  `);
  t.is(signal, "SIGKILL");
  await using index = await EmbeddingIndex.open(path, model);
  const { rows } = await index.stats();
  t.true(rows === 1000 || rows === 101_000, `${rows}`);
  await index.add([
    { file: "b", startSeconds: 0, endSeconds: 1, embedding: unit([1, ...new Float32Array(15)]) },
  ]);
  t.is((await index.stats()).files, 2);
});

test("one process writes or several read", async (t) => {
  const path = join(folder, "shared.duckdb");
  {
    await using index = await EmbeddingIndex.open(path, model);
    await index.add(randomRows(6, 2, 2));
    const { stdout } = await runChild(openScript(path, true));
    t.is(stdout.trim(), "E_IO");
  }
  await using first = await EmbeddingIndex.open(path, { ...model, readOnly: true });
  const { stdout } = await runChild(openScript(path, true));
  t.is(stdout.trim(), "4");
  t.is((await runChild(openScript(path, false))).stdout.trim(), "E_IO");
  t.is((await first.stats()).rows, 4);
  await t.throwsAsync(first.add(randomRows(6, 1, 1)), { code: "E_ARGUMENT" });
});

test("a thread writes an index once or reads it several times", async (t) => {
  const path = join(folder, "claimed.duckdb");
  const link = join(folder, "link.duckdb");
  await symlink(path, link);
  const writer = await EmbeddingIndex.open(path, model);
  await t.throwsAsync(EmbeddingIndex.open(path, model), { code: "E_IO" });
  await t.throwsAsync(EmbeddingIndex.open(link, { ...model, readOnly: true }), { code: "E_IO" });
  await writer.close();
  const readers = [1, 2].map(() => EmbeddingIndex.open(path, { ...model, readOnly: true }));
  await t.throwsAsync(
    Promise.all(readers).then(() => EmbeddingIndex.open(link, model)),
    { code: "E_IO" },
  );
  for (const reader of readers) await (await reader).close();
  await (await EmbeddingIndex.open(link, model)).close();
});

/** Opens an index in a process of its own and prints the number of its rows, or why it cannot. */
const openScript = (path: string, readOnly: boolean): string => `
  import { EmbeddingIndex } from "./lib/clap/embedding-index.js";
  const options = { embeddingSize: 16, fingerprint: "test", readOnly: ${readOnly} };
  try {
    const index = await EmbeddingIndex.open(${JSON.stringify(path)}, options);
    console.log((await index.stats()).rows);
    await index.close();
  } catch (error) {
    console.log(error.code);
  }
`;

test("without DuckDB the error says what to install", async (t) => {
  const { stdout } = await runChild(`
    import { register } from "node:module";
    const hook = \`export async function resolve(name, context, next) {
      if (name === "@duckdb/node-api") throw new Error("absent");
      return next(name, context);
    }\`;
    register("data:text/javascript," + encodeURIComponent(hook));
    const { EmbeddingIndex } = await import("./lib/clap/embedding-index.js");
    const options = { embeddingSize: 2, fingerprint: "test" };
    await EmbeddingIndex.open(":memory:", options).catch(({ code, message }) => {
      console.log(code, message);
    });
  `);
  t.regex(stdout, /^E_SETUP .*npm install @duckdb\/node-api/);
});

test("memory can be bounded", async (t) => {
  const path = join(folder, "bounded.duckdb");
  const wide = { embeddingSize: 512, fingerprint: "test" };
  const random = integers(10);
  const direction = () => unit(Float32Array.from({ length: 512 }, () => random(2001) - 1000));
  const rows = Array.from({ length: 30_000 }, (_, i) => {
    return { file: "a.wav", startSeconds: i, endSeconds: i + 1, embedding: direction() };
  });
  {
    await using index = await EmbeddingIndex.open(path, wide);
    await index.add(rows);
  }
  const memoryBytes = 32e6;
  await using index = await EmbeddingIndex.open(path, { ...wide, memoryBytes, readOnly: true });
  const [best] = await index.search(rows[29_000]!.embedding);
  t.is(best?.startSeconds, 29_000);
});

test("an index of another model, of another kind or absent is refused", async (t) => {
  const path = join(folder, "refused.duckdb");
  await (await EmbeddingIndex.open(path, model)).close();
  t.deepEqual(await EmbeddingIndex.modelOf(path), model);
  const open = (file: string, options: object) =>
    EmbeddingIndex.open(file, { ...model, ...options });
  const other = await t.throwsAsync(open(path, { fingerprint: "other" }), { code: "E_CONFIG" });
  t.true(other?.message.includes("other") && other.message.includes("test"));
  await t.throwsAsync(open(path, { embeddingSize: 17 }), { code: "E_CONFIG" });
  const absent = join(folder, "absent.duckdb");
  await t.throwsAsync(open(absent, { readOnly: true }), { code: "E_IO" });
  await t.throwsAsync(open(join(folder, "no", "such", "folder"), {}), { code: "E_IO" });
  await t.throwsAsync(open(folder, {}), { code: "E_IO" });
  const text = join(folder, "text.duckdb");
  await writeFile(text, "no database ".repeat(1000));
  await t.throwsAsync(open(text, {}), { code: "E_CONFIG" });
  t.is((await stat(text)).size, 12000);
  await t.throwsAsync(open("", {}), { code: "E_ARGUMENT" });
  await t.throwsAsync(open(path, { embeddingSize: 0 }), { code: "E_ARGUMENT" });
  await t.throwsAsync(open(path, { fingerprint: "" }), { code: "E_ARGUMENT" });
});

test("a damaged file gives a typed error, never a crash", async (t) => {
  const path = join(folder, "whole.duckdb");
  {
    await using index = await EmbeddingIndex.open(path, model);
    await index.add(randomRows(7, 20, 200));
  }
  const bytes = await readFile(path);
  const query = unit(Array.from({ length: 16 }, (_, i) => i + 1));
  const random = integers(9);
  for (let round = 0; round < 12; round += 1) {
    const damaged = join(folder, `damaged-${round}.duckdb`);
    const copy = Uint8Array.from(bytes);
    const isCut = round % 3 === 0;
    if (!isCut) for (let i = 0; i < 64; i += 1) copy[random(copy.length)]! ^= 0xff;
    await writeFile(damaged, isCut ? copy.subarray(0, random(copy.length)) : copy);
    const outcome = await searchOnce(damaged, query).catch((error: unknown) => error);
    if (outcome instanceof Error) t.true(outcome instanceof MusicLDMError, String(outcome));
    else t.true(Array.isArray(outcome));
  }
  await copyFile(path, join(folder, "copy.duckdb"));
  t.is((await searchOnce(join(folder, "copy.duckdb"), query)).length, 10);
});

async function searchOnce(path: string, query: Float32Array) {
  await using index = await EmbeddingIndex.open(path, model);
  return await index.search(query);
}

test("invalid rows and queries are refused, and change nothing", async (t) => {
  const index = await EmbeddingIndex.open(":memory:", model);
  const [row] = randomRows(8, 1, 1);
  const add = (change: object) => index.add([row!, { ...row!, ...change }]);
  const fails = async (run: Promise<unknown>, code: string) => {
    await t.throwsAsync(run, { instanceOf: MusicLDMError, code });
  };
  await fails(add({ file: "" }), "E_ARGUMENT");
  await fails(add({ startSeconds: -1 }), "E_ARGUMENT");
  await fails(add({ endSeconds: 0 }), "E_ARGUMENT");
  await fails(add({ endSeconds: NaN }), "E_ARGUMENT");
  await fails(add({ embedding: [1] }), "E_ARGUMENT");
  await fails(add({ embedding: new Float32Array(15) }), "E_SHAPE");
  await fails(add({ embedding: new Float32Array(16) }), "E_ARGUMENT");
  await fails(add({ embedding: new Float32Array(16).fill(NaN) }), "E_NONFINITE");
  await fails(index.setProperty("format", "x"), "E_ARGUMENT");
  t.deepEqual(await index.search(row!.embedding), []);
  const { embedding } = row!;
  await fails(index.search(new Float32Array(3)), "E_SHAPE");
  await fails(index.search(embedding, { limit: 0 }), "E_ARGUMENT");
  await fails(index.search(embedding, { perFile: 1.5 }), "E_ARGUMENT");
  await fails(index.search(embedding, { filter: 1 as unknown as string }), "E_ARGUMENT");
  await fails(index.search(embedding, { signal: AbortSignal.abort() }), "E_ABORTED");
  await index.close();
  await index.close();
  await fails(index.search(embedding), "E_DISPOSED");
  await fails(index.add([row!]), "E_DISPOSED");
});

test("what is no row, file or list is refused", async (t) => {
  await using index = await EmbeddingIndex.open(":memory:", model);
  const none = undefined as unknown as [];
  const numbers = [5] as unknown as string[];
  const [row] = randomRows(8, 1, 1);
  const calls = [
    () => EmbeddingIndex.open(":memory:", none as never),
    () => index.add(none),
    () => index.add([null] as unknown as []),
    () => index.replace(none),
    () => index.replace([{ file: "a", rows: none }]),
    () => index.replace([{ file: "", rows: [] }]),
    () => index.remove(none),
    () => index.remove(numbers),
    () => index.rename("a", none as never),
    () => index.rename("a", { file: "" }),
    () => index.search(row!.embedding, null as never),
  ];
  for (const call of calls) {
    await t.throwsAsync(async () => call(), { instanceOf: MusicLDMError, code: "E_ARGUMENT" });
  }
});
