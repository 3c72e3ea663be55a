/** Time the embedding of captions, alone or against transformers; see docs/performance.md. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Command, Option } from "commander";
import { parseCount } from "../lib/cli/parse.js";
import type { TextEncoder } from "../lib/clap/text-encoder.js";
import { packings } from "../lib/nn/module.js";
import type { Packing } from "../lib/nn/module.js";
import { callSync, setThreads } from "../lib/runtime/native.js";
import { captions } from "./captions.js";
import { openCaptionEncoder, writeCaptionModel } from "./clap-text-model.js";
import { ClapTextPeer } from "./clap-text-peer.js";
import { median, relativeDistance } from "./numbers.js";
import type { Timing } from "./stages.js";
import { stopwatch } from "./stopwatch.js";
import { printTable } from "./table.js";

/** Lets the threads of the last parallel region come to rest. */
const pauseMilliseconds = 100;

interface Flags {
  readonly texts: number;
  readonly rounds: number;
  readonly threads?: number;
  readonly packing: Packing;
  readonly reference?: boolean;
  readonly python: string;
  readonly json?: boolean;
}

const program = new Command("bench:clap-text")
  .description("Time TextEncoder on captions: a RoBERTa of released size with random weights.")
  .option("--texts <n>", "captions that are embedded together", parseCount, 64)
  .option("--rounds <n>", "measurements of each side, in turn", parseCount, 5)
  .option("--threads <n>", "threads of both sides; default: libtorch's choice", parseCount)
  .addOption(new Option("--packing <kind>", "of our weights").choices(packings).default("fast"))
  .option("--reference", "time transformers in PyTorch eager as well, in turn with ours")
  .addOption(
    new Option("--python <path>", "interpreter that has transformers")
      .env("MUSICLDM_PYTHON")
      .default("python3"),
  )
  .option("--json", "print one JSON document");

/** One embedding of all texts; medians of the rounds. */
interface Result {
  readonly texts: number;
  readonly threads: number;
  readonly packing: Packing;
  readonly ours: Timing;
  readonly eager?: Timing;
  /** Eager over ours. */
  readonly ratio?: Timing;
  /** Relative norm of the embeddings. */
  readonly distance?: number;
}

async function timeOurs(encoder: TextEncoder, texts: readonly string[]): Promise<Timing> {
  const elapsed = stopwatch();
  using encoding = await encoder.encode(texts);
  void encoding;
  return elapsed(1);
}

function medianOf(timings: readonly Timing[]): Timing {
  return {
    wallSeconds: median(timings.map(({ wallSeconds }) => wallSeconds)),
    cpuSeconds: median(timings.map(({ cpuSeconds }) => cpuSeconds)),
  };
}

function ratioOf(eager: Timing, ours: Timing): Timing {
  return {
    wallSeconds: eager.wallSeconds / ours.wallSeconds,
    cpuSeconds: eager.cpuSeconds / ours.cpuSeconds,
  };
}

async function bench(flags: Flags, folder: string, threads: number): Promise<Result> {
  await writeCaptionModel(folder);
  const texts = Array.from({ length: flags.texts }, (_, i) => captions[i % captions.length] ?? "");
  using encoder = await openCaptionEncoder(folder, flags.packing);
  const conditions = { texts: texts.length, threads, packing: flags.packing };
  await using peer = flags.reference
    ? await ClapTextPeer.open({ python: flags.python, folder, threads, texts })
    : undefined;
  await timeOurs(encoder, texts);
  await peer?.time();
  const [ours, theirs, ratios]: [Timing[], Timing[], Timing[]] = [[], [], []];
  for (let round = 0; round < flags.rounds; round += 1) {
    await sleep(pauseMilliseconds);
    const own = await timeOurs(encoder, texts);
    ours.push(own);
    if (!peer) continue;
    await sleep(pauseMilliseconds);
    const eager = await peer.time();
    theirs.push(eager);
    ratios.push(ratioOf(eager, own));
  }
  const result = { ...conditions, ours: medianOf(ours) };
  if (!peer) return result;
  using encoding = await encoder.encode(texts);
  const distance = relativeDistance(await encoding.embeddings.floats(), await peer.embeddings());
  return { ...result, eager: medianOf(theirs), ratio: medianOf(ratios), distance };
}

function print({ texts, threads, packing, ours, eager, ratio, distance }: Result): void {
  const row = (name: string, { wallSeconds, cpuSeconds }: Timing): string[] => [
    name,
    wallSeconds.toFixed(3),
    cpuSeconds.toFixed(3),
    (texts / wallSeconds).toFixed(1),
  ];
  const rows = [["", "seconds", "CPU seconds", "texts/s"], row("ours", ours)];
  if (eager) rows.push(row("transformers, PyTorch eager", eager));
  printTable(`${texts} captions, ${threads} threads, packing ${packing}`, rows);
  if (!ratio || distance === undefined) return;
  const [wall, cpu] = [ratio.wallSeconds.toFixed(2), ratio.cpuSeconds.toFixed(2)];
  console.log(`\nEager over ours, median of the rounds: ${wall}; CPU time: ${cpu}.`);
  console.log(`Embeddings differ by ${distance.toExponential(1)} in relative norm.`);
}

async function main(): Promise<void> {
  const flags = program.parse().opts<Flags>();
  const info = callSync<{ readonly threads: number }>("runtime.info", []);
  const threads = flags.threads ?? info.threads;
  setThreads(threads);
  const folder = await mkdtemp(join(tmpdir(), "musicldm-bench-"));
  try {
    const result = await bench(flags, folder, threads);
    if (flags.json) console.log(JSON.stringify(result, null, 2));
    else print(result);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

await main();
