/**
 * Open a folder and generate once, in a process that does nothing else: how long opening takes, how
 * long the event loop is held, and the peak of resident memory. Started by memory.ts, with the task
 * as its argument; answers with one message.
 */
import { readFileSync } from "node:fs";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { MusicLDM } from "../lib/index.js";
import type { Packing } from "../lib/nn/module.js";
import { loadAddon } from "../lib/runtime/loader.js";
import { setThreads } from "../lib/runtime/native.js";
import type { Task } from "./stages.js";

export interface ProbeTask extends Task {
  readonly threads: number;
  readonly packing: Packing;
}

export interface Probe {
  /** Of libtorch and the addon. */
  readonly loadSeconds: number;
  /** Of the folder alone. */
  readonly openSeconds: number;
  readonly generateSeconds: number;
  /** How late the event loop was at the 99th percentile, while generating. */
  readonly delayMilliseconds: number;
  readonly peakBytes: number;
}

const resolution = 1;

async function probe({ folder, threads, packing, ...task }: ProbeTask): Promise<Probe> {
  const begin = performance.now();
  loadAddon();
  const loaded = performance.now();
  using model = await MusicLDM.fromPretrained(folder, { packing });
  const opened = performance.now();
  setThreads(threads);
  const delays = monitorEventLoopDelay({ resolution });
  delays.enable();
  const { prompt, seconds, steps, guidanceScale } = task;
  await model.generate({ prompt, seconds, steps, guidanceScale, seed: 0 });
  delays.disable();
  return {
    loadSeconds: (loaded - begin) / 1000,
    openSeconds: (opened - loaded) / 1000,
    generateSeconds: (performance.now() - opened) / 1000,
    // The histogram holds whole intervals between two turns.
    delayMilliseconds: Math.max(0, delays.percentile(99) / 1e6 - resolution),
    peakBytes: peakBytes(),
  };
}

function peakBytes(): number {
  const line = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"));
  return Number(line?.[1] ?? NaN) * 1024;
}

const result = await probe(JSON.parse(process.argv[2] ?? "") as ProbeTask);
process.send?.(result);
process.disconnect();
