/**
 * Time CLAP from waveform to embedding against transformers in PyTorch eager, mel front end
 * included: one folder, the same clips and number of threads, in turn.
 */
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Command, Option } from "commander";
import { Clap, initClap } from "../lib/index.js";
import { parseCount } from "../lib/cli/parse.js";
import { setThreads } from "../lib/runtime/native.js";
import { median, relativeDistance } from "./numbers.js";
import type { Timing } from "./stages.js";
import { stopwatch } from "./stopwatch.js";
import { printTable } from "./table.js";

const script = join(dirname(fileURLToPath(import.meta.url)), "clap.py");
const sizes = ["debug", "htsat-tiny", "htsat-base"] as const;

interface Flags {
  readonly preset: (typeof sizes)[number];
  readonly batch: number;
  readonly rounds: number;
  readonly threads: number;
  readonly python: string;
}

const flags = new Command("bench:clap-wave")
  .description("Time waveforms to embeddings, beside transformers.")
  .addOption(new Option("--preset <name>", "size").choices(sizes).default("htsat-tiny"))
  .option("--batch <n>", "clips of 10 s at a time", parseCount, 8)
  .option("--rounds <n>", "measurements of each side", parseCount, 5)
  .option("--threads <n>", "threads of both sides", parseCount, 1)
  .addOption(new Option("--python <path>", "interpreter").env("MUSICLDM_PYTHON").default("python3"))
  .parse()
  .opts<Flags>();

/** Clip k, sample i: a tone that rises with k; clap.py makes the same. */
function makeClips(): readonly Float32Array[] {
  const turn = (2 * Math.PI) / 48_000;
  return Array.from({ length: flags.batch }, (_, clip) =>
    Float32Array.from({ length: 480_000 }, (_, i) => 0.5 * Math.sin(turn * (200 + 100 * clip) * i)),
  );
}

type Ask = <T>(action: "run" | "output") => Promise<T>;

/** transformers, in a process of its own that answers one line for each line it is sent. */
function openReference(folder: string): { readonly ask: Ask; readonly close: () => void } {
  const args = [script, folder, String(flags.threads), String(flags.batch)];
  const child = spawn(flags.python, args, { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout });
  const replies: AsyncIterator<string, undefined> = lines[Symbol.asyncIterator]();
  const ask: Ask = async <T>(action: string) => {
    child.stdin.write(`${action}\n`);
    const { value, done } = await replies.next();
    if (done === true) throw new Error(`Expected a reply to ${action} but the reference ended`);
    return JSON.parse(value) as T;
  };
  return { ask, close: () => child.stdin.end() };
}

async function compare(folder: string): Promise<void> {
  await initClap({ preset: flags.preset, folder, seed: 0, force: true });
  setThreads(flags.threads);
  using clap = await Clap.fromPretrained(folder);
  const clips = makeClips();
  const reference = openReference(folder);
  const [first] = await clap.embedAudio(clips);
  const wanted = Float32Array.from(await reference.ask<readonly number[]>("output"));
  const distance = relativeDistance(first!, wanted);
  if (!(distance < 1e-4)) throw new Error(`Expected equal embeddings but they differ: ${distance}`);
  const rounds: (readonly [Timing, Timing])[] = [];
  for (let round = 0; round < flags.rounds; round += 1) {
    await sleep(100);
    const elapsed = stopwatch();
    await clap.embedAudio(clips, { batchSize: flags.batch });
    const ours = elapsed(1);
    await sleep(100);
    rounds.push([ours, await reference.ask<Timing>("run")]);
  }
  reference.close();
  report(rounds, distance);
}

function report(rounds: readonly (readonly [Timing, Timing])[], distance: number): void {
  const { preset, batch, threads } = flags;
  const row = (side: 0 | 1): readonly string[] =>
    (["wallSeconds", "cpuSeconds"] as const).map((part) =>
      (batch / median(rounds.map((round) => round[side][part]))).toFixed(2),
    );
  printTable(`${preset}, ${batch} clips of 10 s, ${threads} threads, ${rounds.length} rounds`, [
    ["side", "clips per second", "per second of CPU time"],
    ["this library", ...row(0)],
    ["transformers, eager", ...row(1)],
  ]);
  const ratio = (part: keyof Timing): string =>
    median(rounds.map(([ours, theirs]) => theirs[part] / ours[part])).toFixed(2);
  console.log(`\ntransformers / ours: ${ratio("wallSeconds")}, of CPU time ${ratio("cpuSeconds")}`);
  console.log(`relative distance of the embeddings: ${distance.toExponential(1)}`);
}

const folder = await mkdtemp(join(tmpdir(), "musicldm-clap-"));
try {
  await compare(folder);
} finally {
  await rm(folder, { recursive: true, force: true });
}
