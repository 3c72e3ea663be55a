import { join } from "node:path";
import { readSafetensors } from "../lib/checkpoint/index.js";
import { defaultSampler } from "../lib/diffusion/plan.js";
import type { Inputs } from "./inputs.js";
import { packagesOf } from "./peers.js";
import type { PeerName } from "./peers.js";
import { PythonProcess } from "./python.js";
import type { Contender, StageName, Task, Timing, Work } from "./stages.js";

/** The scheduler class of diffusers that equals our default sampler. */
const scheduler = {
  name: "UniPCMultistepScheduler",
  options: { [`use_${defaultSampler.sigmas}_sigmas`]: true },
} as const;

/** What MusicLDMPipeline runs when it is not told otherwise. */
const pipelineScheduler = { name: "DDIMScheduler", options: {} } as const;
export const pipelineSteps = 200;

/** Resident memory of the reference: at its peak in a generation, and before that. */
export interface ReferencePeak {
  readonly peakBytes: number;
  readonly loadedBytes: number;
  readonly weightBytes: number;
}

/** Milliseconds of a run by kind of operator. */
export type Profile = Readonly<Record<string, number>>;

export interface ReferenceOptions {
  readonly peer: PeerName;
  /** The Python interpreter. */
  readonly python: string;
  readonly threads: number;
  /** Where exported networks are kept. */
  readonly onnxFolder: string;
}

/** What a reference works on, and a folder for files in transit. */
export interface ReferenceWork {
  readonly task: Task;
  readonly inputs: Inputs;
  readonly folder: string;
}

/** diffusers and transformers under one peer, in a process of their own. */
export class Reference implements Contender, AsyncDisposable {
  readonly #process: PythonProcess;
  readonly #folder: string;
  #versions: Readonly<Record<string, string>> = {};

  private constructor(process: PythonProcess, folder: string) {
    this.#process = process;
    this.#folder = folder;
  }

  /** Start Python; networks are loaded when they first run. */
  static async open(
    { python, ...options }: ReferenceOptions,
    { task, inputs, folder }: ReferenceWork,
  ): Promise<Reference> {
    const reference = new Reference(await PythonProcess.start(python, "reference.py"), folder);
    reference.#versions = await reference.#process.ask("load", {
      task: { ...task, ...options, scheduler, pipelineScheduler },
      inputs: inputs.file,
      packages: packagesOf(options.peer),
    });
    return reference;
  }

  /** By package name. */
  get versions(): Readonly<Record<string, string>> {
    return this.#versions;
  }

  async run(work: Work): Promise<Timing> {
    return this.#process.ask("run", work);
  }

  /** Time conv2d alone, on the tensors of a file. */
  async convolve(work: { path: string; stride: number; repeats: number }): Promise<Timing> {
    return this.#process.ask("convolve", work);
  }

  async output(stage: StageName | "convolution"): Promise<Float32Array> {
    const path = join(this.#folder, `${stage}.safetensors`);
    await this.#process.ask("output", { stage, path });
    using content = await readSafetensors(path);
    const { output } = content.tensors;
    if (!output) throw new Error(`Expected the tensor output in ${path}`);
    return await output.floats();
  }

  /** Measure a generation's memory; a process that has not run anything yet gives the truth. */
  async peak(steps: number): Promise<ReferencePeak> {
    return this.#process.ask("peak", { steps });
  }

  /** Profile one run; eager has operators to count, the others do not. */
  async profile(stage: StageName): Promise<Profile> {
    return this.#process.ask("profile", { stage });
  }

  async close(): Promise<void> {
    await this.#process.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
