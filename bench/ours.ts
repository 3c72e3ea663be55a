import { MusicLDM } from "../lib/index.js";
import { openNetworks } from "../lib/musicldm/networks.js";
import type { Networks } from "../lib/musicldm/networks.js";
import type { GenerateOptions } from "../lib/musicldm/types.js";
import type { Packing } from "../lib/nn/module.js";
import { setThreads } from "../lib/runtime/native.js";
import { Tensor } from "../lib/tensor/tensor.js";
import type { Inputs } from "./inputs.js";
import { stopwatch } from "./stopwatch.js";
import type { Contender, StageName, Task, Timing, Work } from "./stages.js";

/** A middle timestep. */
const timestep = 501;

/** This library, in this process. */
export class Ours implements Contender, Disposable {
  readonly #networks: Networks;
  readonly #model: MusicLDM;
  readonly #inputs: Inputs;
  readonly #task: Task;
  readonly #outputs = new Map<StageName, Tensor>();

  private constructor(networks: Networks, model: MusicLDM, inputs: Inputs, task: Task) {
    this.#networks = networks;
    this.#model = model;
    this.#inputs = inputs;
    this.#task = task;
  }

  /** Open the folder twice: its networks one by one, and the whole. Both map the same files. */
  static async open(inputs: Inputs, task: Task, packing: Packing): Promise<Ours> {
    const model = await MusicLDM.fromPretrained(task.folder, { packing });
    return new Ours(await openNetworks(task.folder, { packing }), model, inputs, task);
  }

  async run({ stage, repeats, steps }: Work): Promise<Timing> {
    const elapsed = stopwatch();
    for (let i = 0; i < repeats; i += 1) {
      const output = await this.#forward(stage, steps);
      this.#outputs.get(stage)?.dispose();
      this.#outputs.set(stage, output);
    }
    return elapsed(repeats);
  }

  /** The networks themselves, opened. */
  get networks(): Networks {
    return this.#networks;
  }

  async output(stage: StageName): Promise<Float32Array> {
    const output = this.#outputs.get(stage);
    if (!output) throw new Error(`Expected a run of ${stage} before its output`);
    return output.floats();
  }

  dispose(): void {
    for (const output of this.#outputs.values()) output.dispose();
    const { textEncoder, unet, vae, vocoder } = this.#networks;
    for (const part of [textEncoder, unet, vae, vocoder, this.#model]) part.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  async #forward(stage: StageName, steps: number): Promise<Tensor> {
    const { textEncoder, unet, vae, vocoder } = this.#networks;
    const { latents, labels, mel, ids } = this.#inputs;
    switch (stage) {
      case "text": {
        using output = await textEncoder.tower.forward(ids);
        return await output.textEmbeds.clone();
      }
      case "unet": {
        using both = await Tensor.cat([latents, latents]);
        return await unet.forward(both, timestep, labels);
      }
      case "vae":
        return vae.decode(latents);
      case "vocoder":
        return vocoder.vocode(mel);
      case "generate":
        return this.#generate({ steps, guidanceScale: this.#task.guidanceScale });
      case "default":
        return this.#generate({});
    }
  }

  async #generate(options: GenerateOptions): Promise<Tensor> {
    const { prompt, seconds } = this.#task;
    const { latents } = this.#inputs;
    const { waveforms } = await this.#model.generate({ prompt, seconds, latents, ...options });
    return Tensor.from(waveforms[0] ?? new Float32Array());
  }
}

/** Another contender's runs with one thread. */
export class SingleThreaded implements Contender {
  readonly #contender: Contender;
  readonly #threads: number;

  /** @param threads What the others run with. */
  constructor(contender: Contender, threads: number) {
    this.#contender = contender;
    this.#threads = threads;
  }

  async run(work: Work): Promise<Timing> {
    setThreads(1);
    try {
      return await this.#contender.run(work);
    } finally {
      setThreads(this.#threads);
    }
  }

  async output(stage: StageName): Promise<Float32Array> {
    return this.#contender.output(stage);
  }
}
