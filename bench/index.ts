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
import type { Timing } from "./stages.js";
import { stopwatch } from "./stopwatch.js";
import { printTable } from "./table.js";

interface Flags {
  readonly rows: number;
  readonly dimension: number;
  readonly queries: number;
  readonly memory?: number;
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
  .option("--memory <mb>", "what the engine may use", parseCount)
  .option("--keep <file>", "where to keep the index; default: a temporary file")
  .parse()
  .opts<Flags>();

async function time(work: () => Promise<unknown>): Promise<Timing> {
  const stop = stopwatch();
  await work();
  return stop(1);
}

/** Seconds on the clock, and of all threads. */
function both({ wallSeconds, cpuSeconds }: Timing, digits = 1): readonly string[] {
  return [wallSeconds.toFixed(digits), cpuSeconds.toFixed(digits)];
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

async function build(index: EmbeddingIndex, source: Generator): Promise<Timing> {
  const total = { wallSeconds: 0, cpuSeconds: 0 };
  for (let start = 0; start < flags.rows; start += block) {
    const embeddings = await directions(Math.min(block, flags.rows - start), source);
    const rows = embeddings.map((embedding, i) => {
      const row = start + i;
      const startSeconds = 5 * (row % fileRows);
      const file = `${Math.floor(row / fileRows)}.flac`;
      return { file, startSeconds, endSeconds: startSeconds + 10, embedding };
    });
    const { wallSeconds, cpuSeconds } = await time(() => index.add(rows));
    total.wallSeconds += wallSeconds;
    total.cpuSeconds += cpuSeconds;
  }
  return total;
}

async function searchTimes(
  index: EmbeddingIndex,
  queries: readonly Float32Array[],
  options: Parameters<EmbeddingIndex["search"]>[1],
): Promise<readonly string[]> {
  const times: Timing[] = [];
  for (const query of queries) times.push(await time(() => index.search(query, options)));
  return both(
    {
      wallSeconds: median(times.map(({ wallSeconds }) => wallSeconds)),
      cpuSeconds: median(times.map(({ cpuSeconds }) => cpuSeconds)),
    },
    3,
  );
}

async function main(path: string): Promise<void> {
  const { cpu, cores, load } = machine();
  console.log(`${cpu}, ${cores} cores; load before: ${load.toFixed(2)}`);
  const memoryBytes = flags.memory === undefined ? undefined : 1e6 * flags.memory;
  const model = { embeddingSize: flags.dimension, fingerprint: "bench", memoryBytes };
  using source = new Generator(1);
  let index = await EmbeddingIndex.open(path, model);
  let building = { wallSeconds: NaN, cpuSeconds: NaN };
  const pause = await longestPause(async () => {
    building = await build(index, source);
  });
  const closing = await time(() => index.close());
  const { size } = await stat(path);
  const opening = await time(async () => {
    index = await EmbeddingIndex.open(path, { ...model, readOnly: true });
  });
  const queries = await directions(flags.queries, source);
  const first = await time(() => index.search(queries[0] ?? new Float32Array(), {}));
  const search = (options: object) => searchTimes(index, queries, options);
  printTable(`${flags.rows} rows of ${flags.dimension}: seconds, medians of searches`, [
    ["what", "on the clock", "of all threads"],
    ["build", ...both(building)],
    ["close", ...both(closing, 2)],
    ["open", ...both(opening, 3)],
    ["first search", ...both(first, 3)],
    ["search, 10 hits", ...(await search({}))],
    ["search, 1000 hits", ...(await search({ limit: 1000 }))],
    ["search, 1 hit a file", ...(await search({ perFile: 1 }))],
    ["search, a tenth of the files", ...(await search({ filter: "*7.flac" }))],
  ]);
  console.log(`\nlongest pause of the event loop while building: ${pause.toFixed(0)} ms`);
  console.log(`file: ${(size / 1e6).toFixed(0)} MB`);
  console.log(`peak resident memory: ${(process.resourceUsage().maxRSS / 1e3).toFixed(0)} MB`);
  await index.close();
}

const folder = await mkdtemp(join(tmpdir(), "musicldm-bench-index-"));
try {
  await main(flags.keep ?? join(folder, "index.duckdb"));
} finally {
  await rm(folder, { recursive: true, force: true });
}
