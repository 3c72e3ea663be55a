import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { parseCount } from "../lib/cli/parse.js";
import { EmbeddingIndex } from "../lib/clap/embedding-index.js";
import { Generator } from "../lib/tensor/generator.js";
import { Tensor } from "../lib/tensor/tensor.js";
import { median } from "./numbers.js";
import { machine } from "./report.js";
import { printTable } from "./table.js";

interface Flags {
  readonly rows: number;
  readonly dimension: number;
  readonly queries: number;
  readonly keep?: string;
}

/** Rows that are added in one call. */
const block = 10_000;
/** Rows of one file: an hour in windows of 10 s, every 5 s. */
const fileRows = 720;

/** The command line of `npm run bench:index`. */
const flags = new Command("bench:index")
  .description("Time an embedding index: building, opening and searching it, memory, size.")
  .option("--rows <n>", "embeddings", parseCount, 1_000_000)
  .option("--dimension <n>", "values of an embedding", parseCount, 512)
  .option("--queries <n>", "searches of each kind", parseCount, 9)
  .option("--keep <file>", "where to keep the index; default: a temporary file")
  .parse()
  .opts<Flags>();

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

/** Random directions. */
async function directions(count: number, source: Generator): Promise<Float32Array[]> {
  using values = await Tensor.randn([count, flags.dimension], { generator: source });
  using norm = await values.norm([1], { keepDim: true });
  using unit = await values.div(norm);
  const all = await unit.floats();
  return Array.from({ length: count }, (_, i) =>
    all.subarray(i * flags.dimension, (i + 1) * flags.dimension),
  );
}

/** The longest time that the event loop did not turn while `work` ran, in milliseconds. */
async function longestPause(work: () => Promise<unknown>): Promise<number> {
  let [longest, last] = [0, performance.now()];
  const timer = setInterval(() => {
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
  }, 1);
  await work();
  clearInterval(timer);
  return longest;
}

async function build(index: EmbeddingIndex, source: Generator): Promise<number> {
  let total = 0;
  for (let start = 0; start < flags.rows; start += block) {
    const embeddings = await directions(Math.min(block, flags.rows - start), source);
    const rows = embeddings.map((embedding, i) => {
      const row = start + i;
      const startSeconds = 5 * (row % fileRows);
      const file = `${Math.floor(row / fileRows)}.flac`;
      return { file, startSeconds, endSeconds: startSeconds + 10, embedding };
    });
    total += await seconds(() => index.add(rows));
  }
  return total;
}

async function searchTimes(
  index: EmbeddingIndex,
  queries: readonly Float32Array[],
  options: Parameters<EmbeddingIndex["search"]>[1],
): Promise<readonly string[]> {
  const times: number[] = [];
  for (const query of queries) {
    times.push(1000 * (await seconds(() => index.search(query, options))));
  }
  return [median(times), times[0] ?? NaN].map((time) => time.toFixed(0));
}

async function main(path: string): Promise<void> {
  const { cpu, cores, load } = machine();
  console.log(`${cpu}, ${cores} cores; load before: ${load.toFixed(2)}`);
  const model = { embeddingSize: flags.dimension, fingerprint: "bench" };
  using source = new Generator(1);
  let index = await EmbeddingIndex.open(path, model);
  const pause = { milliseconds: 0 };
  let building = 0;
  pause.milliseconds = await longestPause(async () => {
    building = await build(index, source);
  });
  const closing = await seconds(() => index.close());
  const { size } = await stat(path);
  const opening = await seconds(async () => {
    index = await EmbeddingIndex.open(path, { ...model, readOnly: true });
  });
  const queries = await directions(flags.queries, source);
  const search = (options: object) => searchTimes(index, queries, options);
  printTable(`${flags.rows} rows of ${flags.dimension}`, [
    ["what", "median", "first"],
    ["build, s", building.toFixed(1), ""],
    ["rows a second", (flags.rows / building).toFixed(0), ""],
    ["longest pause of the event loop, ms", pause.milliseconds.toFixed(0), ""],
    ["close, s", closing.toFixed(2), ""],
    ["file, MB", (size / 1e6).toFixed(0), ""],
    ["open, ms", (1000 * opening).toFixed(0), ""],
    ["search, 10 hits, ms", ...(await search({}))],
    ["search, 1000 hits, ms", ...(await search({ limit: 1000 }))],
    ["search, 1 hit a file, ms", ...(await search({ perFile: 1 }))],
    ["search, a tenth of the files, ms", ...(await search({ filter: "*7.flac" }))],
    ["peak resident memory, MB", (process.resourceUsage().maxRSS / 1e3).toFixed(0), ""],
  ]);
  await index.close();
}

const folder = await mkdtemp(join(tmpdir(), "musicldm-bench-index-"));
try {
  await main(flags.keep ?? join(folder, "index.duckdb"));
} finally {
  await rm(folder, { recursive: true, force: true });
}
