/** Time mel spectrograms of long audio against librosa and torch.stft; see docs/spectra.md. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Command, Option } from "commander";
import { parseCount, parseNumber } from "../lib/cli/parse.js";
import { setThreads } from "../lib/runtime/native.js";
import { MelPeer, OurMels, sideNames } from "./mel-sides.js";
import type { MelSide, MelTask, SideName } from "./mel-sides.js";
import { median, relativeDistance } from "./numbers.js";
import type { Timing } from "./stages.js";
import { printTable } from "./table.js";

/** Threads of a finished region spin for up to 30 ms; they must not meet the next run. */
const pauseMilliseconds = 100;
/** Above this a side computes something else, and its time means nothing. */
const mostDifferent = 1e-4;
/** The noise that is repeated until the audio is long enough. */
const blockSeconds = 10;

interface Flags {
  readonly seconds: number;
  readonly clip: number;
  readonly rate: "48k" | "16k";
  readonly rounds: number;
  readonly threads: number;
  readonly whole: boolean;
  readonly python: string;
  readonly json?: boolean;
}

const program = new Command("bench:mel")
  .description("Time mel spectrograms in decibels: 1024 samples, 100 frames a second, 64 filters.")
  .option("--seconds <s>", "length of the audio", parseNumber, 3600)
  .option("--clip <s>", "length of the clips that it is cut into", parseNumber, blockSeconds)
  .addOption(new Option("--rate <r>", "sample rate").choices(["48k", "16k"]).default("48k"))
  .option("--rounds <n>", "measurements of each side", parseCount, 5)
  .option("--threads <n>", "threads of each side", parseCount, 1)
  .option("--no-whole", "leave out runs over the whole audio in one call, which take gigabytes")
  .addOption(
    new Option("--python <path>", "interpreter that has librosa and torch")
      .env("MUSICLDM_PYTHON")
      .default("python3"),
  )
  .option("--json", "print one JSON document");

/** Everything measured for one length of clips. */
interface Result {
  readonly name: string;
  readonly timings: Readonly<Record<SideName, readonly Timing[]>>;
  /** Relative norm from librosa's, over the first clip. */
  readonly distances: Readonly<Record<SideName, number>>;
  /** Growth of resident memory at its peak in a run, the audio itself not counted. */
  readonly peakBytes: Readonly<Record<SideName, number>>;
}

type Sides = ReadonlyMap<SideName, MelSide>;

async function makeTask(flags: Flags, folder: string): Promise<MelTask> {
  const file = join(folder, "block.f32");
  const sampleRate = flags.rate === "48k" ? 48_000 : 16_000;
  const block = Float32Array.from({ length: blockSeconds * sampleRate }, () => Math.random() - 0.5);
  await writeFile(file, block);
  const bands = flags.rate === "48k" ? { fMin: 50, fMax: 14_000 } : { fMin: 0, fMax: 8000 };
  const settings = { sampleRate, fftSize: 1024, hopSamples: sampleRate / 100, melBins: 64 };
  const blocks = Math.max(1, Math.round(flags.seconds / blockSeconds));
  return { file, blocks, threads: flags.threads, settings: { ...settings, ...bands } };
}

async function compare(name: string, samples: number, sides: Sides, rounds: number) {
  const timings: Record<SideName, Timing[]> = { ours: [], librosa: [], torch: [] };
  const distances: Record<SideName, number> = { ours: NaN, librosa: NaN, torch: NaN };
  const peakBytes: Record<SideName, number> = { ours: NaN, librosa: NaN, torch: NaN };
  const wanted = await sides.get("librosa")?.output();
  for (const [side, contender] of sides) {
    const distance = relativeDistance(await contender.output(), wanted ?? new Float32Array());
    if (!(distance <= mostDifferent)) throw new Error(`${side} is ${distance} from librosa`);
    distances[side] = distance;
    peakBytes[side] = await contender.peak(samples);
  }
  for (let round = 0; round < rounds; round++) {
    for (const [side, contender] of sides) {
      await sleep(pauseMilliseconds);
      timings[side].push(await contender.run(samples));
    }
  }
  return { name, timings, distances, peakBytes } satisfies Result;
}

async function bench(flags: Flags, folder: string): Promise<readonly Result[]> {
  const task = await makeTask(flags, folder);
  const { sampleRate } = task.settings;
  const sides = new Map<SideName, MelSide>();
  try {
    sides.set("ours", await OurMels.open(task));
    for (const peer of ["librosa", "torch"] as const) {
      sides.set(peer, await MelPeer.open(peer, task, { python: flags.python, folder }));
    }
    const clip = Math.round(flags.clip * sampleRate);
    const results = [await compare(`clips of ${flags.clip} s`, clip, sides, flags.rounds)];
    const whole = task.blocks * blockSeconds * sampleRate;
    if (flags.whole) results.push(await compare("one call", whole, sides, flags.rounds));
    return results;
  } finally {
    for (const side of sides.values()) await side.close();
  }
}

function print(results: readonly Result[], { seconds, threads, rate }: Flags): void {
  for (const { name, timings, distances, peakBytes } of results) {
    const times = (side: SideName) => timings[side].map(({ wallSeconds }) => wallSeconds);
    const cpus = (side: SideName) => timings[side].map(({ cpuSeconds }) => cpuSeconds);
    const over = (side: SideName, of: typeof times) =>
      median(of(side).map((value, i) => value / (of("ours")[i] ?? NaN)));
    const rows = sideNames.map((side) => [
      side,
      median(times(side)).toFixed(3),
      (seconds / median(times(side))).toFixed(0),
      over(side, times).toFixed(2),
      over(side, cpus).toFixed(2),
      (peakBytes[side] / 2 ** 20).toFixed(0),
      distances[side].toExponential(1),
    ]);
    const header = [
      "side",
      "s",
      "× real time",
      "side/ours",
      "CPU time",
      "peak MiB",
      "from librosa",
    ];
    const title = `${seconds} s of audio at ${rate}Hz, ${name}, threads: ${threads}`;
    printTable(title, [header, ...rows]);
  }
}

const flags = program.parse().opts<Flags>();
setThreads(flags.threads);
const scratch = await mkdtemp(join(tmpdir(), "musicldm-mel-"));
try {
  const results = await bench(flags, scratch);
  if (flags.json) console.log(JSON.stringify(results, null, 2));
  else print(results, flags);
} finally {
  await rm(scratch, { recursive: true, force: true });
}
