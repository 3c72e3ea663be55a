/** Time the embedding of captions, alone or against transformers; see docs/performance.md. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
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
import { printTable } from "./table.js";

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

/** Seconds of one embedding of all texts. */
interface Result {
  readonly texts: number;
  readonly threads: number;
  readonly packing: Packing;
  readonly seconds: number;
  readonly eagerSeconds?: number;
  /** Eager over ours, median of the rounds. */
  readonly ratio?: number;
  /** Relative norm of the embeddings. */
  readonly distance?: number;
}

async function timeOurs(encoder: TextEncoder, texts: readonly string[]): Promise<number> {
  const start = process.hrtime.bigint();
  using encoding = await encoder.encode(texts);
  void encoding;
  return Number(process.hrtime.bigint() - start) / 1e9;
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
  const [ours, theirs]: [number[], number[]] = [[], []];
  for (let round = 0; round < flags.rounds; round += 1) {
    ours.push(await timeOurs(encoder, texts));
    if (peer) theirs.push(await peer.time());
  }
  const seconds = median(ours);
  if (!peer) return { ...conditions, seconds };
  using encoding = await encoder.encode(texts);
  const distance = relativeDistance(await encoding.embeddings.floats(), await peer.embeddings());
  const ratio = median(ours.map((own, i) => (theirs[i] ?? NaN) / own));
  return { ...conditions, seconds, eagerSeconds: median(theirs), ratio, distance };
}

function print(result: Result): void {
  const { texts, threads, packing, seconds, eagerSeconds, ratio, distance } = result;
  const row = (name: string, time: number): string[] => [
    name,
    time.toFixed(3),
    (texts / time).toFixed(1),
  ];
  const rows = [["", "seconds", "texts/s"], row("ours", seconds)];
  if (eagerSeconds !== undefined) rows.push(row("transformers, PyTorch eager", eagerSeconds));
  printTable(`${texts} captions, ${threads} threads, packing ${packing}`, rows);
  if (ratio === undefined || distance === undefined) return;
  console.log(`\nEager over ours: ${ratio.toFixed(2)} (median of the rounds).`);
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
