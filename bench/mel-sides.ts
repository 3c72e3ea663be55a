import { readFileSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { melSpectrogram } from "../lib/audio/index.js";
import { Tensor } from "../lib/tensor/tensor.js";
import { PythonProcess } from "./python.js";
import type { Timing } from "./stages.js";
import { stopwatch } from "./stopwatch.js";

export const sideNames = ["ours", "librosa", "torch"] as const;
export type SideName = (typeof sideNames)[number];

/** A block of samples in a file, repeated, and what is made of it. */
export interface MelTask {
  readonly file: string;
  readonly blocks: number;
  readonly threads: number;
  readonly settings: {
    readonly sampleRate: number;
    readonly fftSize: number;
    readonly hopSamples: number;
    readonly melBins: number;
    readonly fMin: number;
    readonly fMax: number;
  };
}

/** Somebody who computes mel spectrograms of the same audio, in clips of so many samples. */
export interface MelSide {
  run(samples: number): Promise<Timing>;
  /** Bytes by which resident memory grows in such a run. */
  peak(samples: number): Promise<number>;
  /** Of the first second. */
  output(): Promise<Float32Array>;
  close(): Promise<void>;
}

function statusBytes(field: string): number {
  const line = readFileSync("/proc/self/status", "utf8")
    .split("\n")
    .find((each) => each.startsWith(`${field}:`));
  return Number(line?.split(/\s+/)[1]) * 1024;
}

async function readFloats(path: string): Promise<Float32Array> {
  return new Float32Array(Uint8Array.from(await readFile(path)).buffer);
}

/** This library, in this process. */
export class OurMels implements MelSide {
  readonly #task: MelTask;
  readonly #wave: Tensor;

  private constructor(task: MelTask, wave: Tensor) {
    this.#task = task;
    this.#wave = wave;
  }

  static async open(task: MelTask): Promise<OurMels> {
    const samples = await readFloats(task.file);
    using block = await Tensor.from(samples, [1, samples.length]);
    return new OurMels(task, await block.repeat([1, task.blocks]));
  }

  async run(samples: number): Promise<Timing> {
    const stop = stopwatch();
    const length = this.#wave.shape[1] ?? 0;
    for (let start = 0; start < length; start += samples) {
      (await this.#compute(start, start + samples)).dispose();
    }
    return stop(1);
  }

  async peak(samples: number): Promise<number> {
    writeFileSync("/proc/self/clear_refs", "5");
    const before = statusBytes("VmRSS");
    await this.run(samples);
    return statusBytes("VmHWM") - before;
  }

  async output(): Promise<Float32Array> {
    using mel = await this.#compute(0, this.#task.settings.sampleRate);
    return await mel.floats();
  }

  async close(): Promise<void> {
    this.#wave.dispose();
  }

  async #compute(start: number, end: number): Promise<Tensor> {
    using clip = await this.#wave.slice(1, start, Math.min(end, this.#wave.shape[1] ?? 0));
    return await melSpectrogram(clip, { preset: "clap", ...this.#task.settings });
  }
}

/** librosa, or torch.stft with a dense filter bank, in a process of its own. */
export class MelPeer implements MelSide {
  readonly #process: PythonProcess;
  readonly #task: MelTask;
  readonly #folder: string;

  private constructor(process: PythonProcess, task: MelTask, folder: string) {
    this.#process = process;
    this.#task = task;
    this.#folder = folder;
  }

  static async open(
    peer: "librosa" | "torch",
    task: MelTask,
    { python, folder }: { readonly python: string; readonly folder: string },
  ): Promise<MelPeer> {
    const side = new MelPeer(await PythonProcess.start(python, "mel_peer.py"), task, folder);
    const { settings, ...rest } = task;
    await side.#process.ask("load", { task: { peer, ...rest, ...settings } });
    return side;
  }

  async run(samples: number): Promise<Timing> {
    return this.#process.ask("run", { samples });
  }

  async peak(samples: number): Promise<number> {
    return (await this.#process.ask<{ bytes: number }>("peak", { samples })).bytes;
  }

  async output(): Promise<Float32Array> {
    const path = join(this.#folder, "output.f32");
    await this.#process.ask("output", { samples: this.#task.settings.sampleRate, path });
    return await readFloats(path);
  }

  async close(): Promise<void> {
    await this.#process.close();
  }
}
