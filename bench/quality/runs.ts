import { existsSync } from "node:fs";
import { join } from "node:path";
import { readSafetensors, writeSafetensors } from "../../lib/checkpoint/index.js";
import { createPlan } from "../../lib/diffusion/plan.js";
import { runPlan } from "../../lib/diffusion/sample.js";
import type { UNetPasses } from "../../lib/diffusion/unet.js";
import { GuidedUNet } from "../../lib/musicldm/guided.js";
import type { Sampler } from "../../lib/musicldm/quality.js";
import { Tensor } from "../../lib/tensor/tensor.js";
import { CountingUNet } from "./costs.js";
import type { Costs } from "./costs.js";
import { classCount, drawLabels, pickRows } from "./data.js";
import { schedulerConfig } from "./model.js";
import type { TrainedModel } from "./model.js";

const guidanceScale = 2;
/** Decibels of a natural logarithm of amplitude. */
const decibels = 20 / Math.LN10;

/** How far a run is from the solution, and what it costs. */
export interface Outcome {
  /** ‖x − x*‖ / ‖x*‖ over the latents of all items. */
  readonly latents: number;
  /** Root mean square difference of the decoded log-mels in dB. */
  readonly mel: number;
  /** In whole guided passes of the full-size network. */
  readonly cost: number;
}

/** One set of starting noises, and the solution that each leads to. */
export class Problem implements Disposable {
  readonly #model: TrainedModel;
  readonly #labels: Tensor;
  readonly #noise: Tensor;
  readonly #items: number;
  #solution: Tensor | undefined;
  #solutionMel: Tensor | undefined;

  private constructor(model: TrainedModel, labels: Tensor, noise: Tensor, items: number) {
    this.#model = model;
    this.#labels = labels;
    this.#noise = noise;
    this.#items = items;
  }

  /** Draw noise for some items of every class, and find the solution of 1000 Heun steps. */
  static async create(model: TrainedModel, items: number): Promise<Problem> {
    using table = await drawLabels();
    const kinds = Array.from({ length: items }, (_, i) => i % classCount);
    const labels = await pickRows(table, [...kinds.map(() => classCount), ...kinds]);
    const { in_channels: channels } = model.unet.config;
    const noise = await Tensor.randn([items, channels, 16, 16], { seed: 77 });
    const problem = new Problem(model, labels, noise, items);
    await problem.#solve();
    return problem;
  }

  async #solve(): Promise<void> {
    const file = join(this.#model.folder, `solution-${this.#items}.safetensors`);
    if (!existsSync(file)) {
      using latents = await this.#sample(this.#model.unet, { scheduler: "heun", steps: 1000 });
      await writeSafetensors(file, { latents });
    }
    using content = await readSafetensors(file);
    this.#solution = await content.tensors["latents"]!.clone();
    this.#solutionMel = await this.#decode(this.#solution);
  }

  async measure(sampler: Sampler, costs: Costs): Promise<Outcome> {
    const counting = new CountingUNet(this.#model.unet, costs, this.#items);
    using latents = await this.#sample(counting, sampler);
    using mel = await this.#decode(latents);
    const size = await length(this.#solution!);
    const scale = decibels / Math.sqrt(mel.size);
    return {
      latents: (await distance(latents, this.#solution!)) / size,
      mel: (await distance(mel, this.#solutionMel!)) * scale,
      cost: counting.units,
    };
  }

  async #sample(unet: UNetPasses, sampler: Sampler): Promise<Tensor> {
    const { scheduler: solver, steps, sigmas, guidanceInterval, deepCache } = sampler;
    // At 1000 steps only this spacing meets every training timestep once.
    const config = steps === 1000 ? { ...schedulerConfig, spacing: "linspace" } : schedulerConfig;
    const plan = createPlan(config as typeof schedulerConfig, { solver, steps, sigmas });
    const settings = {
      ...{ unet, guidanceScale, guidanceInterval, deepCache },
      loop: false,
      dtype: "float32",
    } as const;
    const timesteps = plan.steps.map(({ timestep }) => timestep);
    using network = await GuidedUNet.create(settings, this.#labels, timesteps, {});
    using start = await this.#noise.mul(plan.initialScale);
    return await runPlan(plan, start, network.predict, {
      predictionType: "epsilon",
      drawNoise: async () => Tensor.randn(this.#noise.shape, { seed: 78 }),
    });
  }

  async #decode(latents: Tensor): Promise<Tensor> {
    using raw = await latents.div(this.#model.scale);
    return await this.#model.vae.decode(raw);
  }

  [Symbol.dispose](): void {
    const all = [this.#labels, this.#noise, this.#solution, this.#solutionMel];
    for (const tensor of all) tensor?.dispose();
  }
}

async function length(tensor: Tensor): Promise<number> {
  using norm = await tensor.norm();
  return await norm.item();
}

async function distance(first: Tensor, second: Tensor): Promise<number> {
  using difference = await first.sub(second);
  return await length(difference);
}
