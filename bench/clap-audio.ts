/**
 * Time CLAP's audio tower against transformers in PyTorch eager: log-mels to embeddings, the same
 * weights, inputs and number of threads, in turn. Prints the median of each round's ratio.
 */
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Command, Option } from "commander";
import { parseClapAudio } from "../lib/checkpoint/config/clap-audio.js";
import { writeSafetensors } from "../lib/checkpoint/index.js";
import { AudioTower } from "../lib/clap/audio-tower.js";
import { audioPresets } from "../lib/clap/audio-presets.js";
import { parseCount } from "../lib/cli/parse.js";
import { packings } from "../lib/nn/module.js";
import type { Packing } from "../lib/nn/module.js";
import { setThreads } from "../lib/runtime/native.js";
import { Tensor } from "../lib/tensor/tensor.js";
import { median, relativeDistance } from "./numbers.js";
import type { Timing } from "./stages.js";
import { stopwatch } from "./stopwatch.js";
import { printTable } from "./table.js";

const script = join(dirname(fileURLToPath(import.meta.url)), "clap_audio.py");
const sizes = ["debug", "htsat-tiny", "htsat-base", "htsat-large"] as const;

interface Flags {
  readonly preset: (typeof sizes)[number];
  readonly batch: number;
  readonly frames: number;
  readonly rounds: number;
  readonly threads: number;
  readonly packing: Packing;
  readonly python: string;
}

const flags = new Command("bench:clap")
  .description("Time log-mels to embeddings, beside transformers.")
  .addOption(new Option("--preset <name>", "size").choices(sizes).default("htsat-tiny"))
  .option("--batch <n>", "clips of 10 s at a time", parseCount, 8)
  .option("--frames <n>", "frames of a clip", parseCount, 1001)
  .option("--rounds <n>", "measurements of each side", parseCount, 7)
  .option("--threads <n>", "threads of both sides", parseCount, 1)
  .addOption(new Option("--packing <kind>", "of our weights").choices(packings).default("fast"))
  .addOption(new Option("--python <path>", "interpreter").env("MUSICLDM_PYTHON").default("python3"))
  .parse()
  .opts<Flags>();

/** Ours, then the reference's. */
type Round = readonly [Timing, Timing];

interface Side {
  readonly run: () => Promise<Timing>;
  readonly output: () => Promise<Float32Array>;
}

/** transformers, in a process of its own that answers one line for each line it is sent. */
function openReference(folder: string): Side & { readonly close: () => void } {
  const child = spawn(flags.python, [script, folder, String(flags.threads)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface({ input: child.stdout });
  const replies: AsyncIterator<string, undefined> = lines[Symbol.asyncIterator]();
  const ask = async <T>(action: string): Promise<T> => {
    child.stdin.write(`${action}\n`);
    const { value, done } = await replies.next();
    if (done === true) throw new Error(`Expected a reply to ${action} but the reference ended`);
    return JSON.parse(value) as T;
  };
  return {
    run: () => ask<Timing>("run"),
    output: async () => Float32Array.from(await ask<readonly number[]>("output")),
    close: () => child.stdin.end(),
  };
}

function openOurs(tower: AudioTower, features: Tensor): Side {
  const forward = async (): Promise<Float32Array> => {
    using output = await tower.forward(features);
    return await output.audioEmbeds.floats();
  };
  const run = async (): Promise<Timing> => {
    const elapsed = stopwatch();
    await forward();
    return elapsed(1);
  };
  return { run, output: forward };
}

/** Draw weights and features, and write both where the reference finds them. */
async function prepare(folder: string): Promise<readonly [AudioTower, Tensor]> {
  const { config } = parseClapAudio(audioPresets[flags.preset], flags.preset);
  const tower = await AudioTower.create(config);
  await tower.initialise(0);
  const state = await tower.state();
  using noise = await Tensor.randn([flags.batch, 1, flags.frames, 64], { seed: 1 });
  using scaled = await noise.mul(12);
  const features = await scaled.sub(20);
  const metadata = { config: JSON.stringify(audioPresets[flags.preset]) };
  await writeSafetensors(join(folder, "audio.safetensors"), { ...state, features }, metadata);
  for (const tensor of Object.values(state)) tensor.dispose();
  return [tower, features];
}

async function compare(folder: string): Promise<void> {
  const [tower, features] = await prepare(folder);
  await tower.pack(flags.packing);
  setThreads(flags.threads);
  const ours = openOurs(tower, features);
  const reference = openReference(folder);
  const distance = relativeDistance(await ours.output(), await reference.output());
  if (!(distance < 1e-4)) throw new Error(`Expected equal embeddings but they differ: ${distance}`);
  const rounds: Round[] = [];
  for (let round = 0; round < flags.rounds; round += 1) {
    await sleep(100);
    const own = await ours.run();
    await sleep(100);
    rounds.push([own, await reference.run()]);
  }
  reference.close();
  report(rounds, distance);
}

function report(timings: readonly Round[], distance: number): void {
  const { preset, batch, frames, threads, packing, rounds } = flags;
  const row = (side: 0 | 1): readonly string[] => [
    (batch / median(timings.map((round) => round[side].wallSeconds))).toFixed(2),
    (batch / median(timings.map((round) => round[side].cpuSeconds))).toFixed(2),
  ];
  const clips = `${batch} clips of ${frames} frames`;
  const title = `${preset}, ${clips}, ${threads} threads, ${rounds} rounds`;
  printTable(title, [
    ["side", "clips per second", "per second of CPU time"],
    [`this library (${packing})`, ...row(0)],
    ["transformers, eager", ...row(1)],
  ]);
  const ratio = (part: keyof Timing): string =>
    median(timings.map(([ours, theirs]) => theirs[part] / ours[part])).toFixed(2);
  console.log(`\ntransformers / ours: ${ratio("wallSeconds")}, of CPU time ${ratio("cpuSeconds")}`);
  console.log(`relative distance of the embeddings: ${distance.toExponential(1)}`);
}

const folder = await mkdtemp(join(tmpdir(), "musicldm-clap-"));
try {
  await compare(folder);
} finally {
  await rm(folder, { recursive: true, force: true });
}
