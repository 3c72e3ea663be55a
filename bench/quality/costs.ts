import { parseUNetConfig } from "../../lib/checkpoint/config/unet.js";
import type { DeepCacheSettings } from "../../lib/diffusion/deep-cache.js";
import { UNet } from "../../lib/diffusion/unet.js";
import type { UNetPasses } from "../../lib/diffusion/unet.js";
import { presets } from "../../lib/musicldm/presets.js";
import { Tensor } from "../../lib/tensor/tensor.js";

/** What a pass is, as far as its time depends on it. */
export interface Pass {
  readonly isGuided: boolean;
  /** Of a shallow pass. */
  readonly branch?: number;
}

/** Time of each kind of pass of the full-size network, in units of a whole guided one. */
export class Costs {
  readonly #units: ReadonlyMap<string, number>;
  /** Seconds of a whole guided pass. */
  readonly unitSeconds: number;

  private constructor(seconds: ReadonlyMap<string, number>) {
    this.unitSeconds = seconds.get(nameOf({ isGuided: true }))!;
    this.#units = new Map(
      [...seconds].map(([name, value]) => [name, value / this.unitSeconds] as const),
    );
  }

  /** Time the passes in turn; the fastest of each counts, as other processes only add to it. */
  static async measure(branches: readonly number[], rounds: number): Promise<Costs> {
    const { config } = parseUNetConfig(presets.musicldm.unet, "bench");
    using unet = await UNet.create(config);
    await unet.initialise(1);
    const passes = [true, false].flatMap((isGuided): Pass[] => [
      { isGuided },
      ...branches.map((branch) => ({ isGuided, branch })),
    ]);
    const times = new Map(passes.map((pass) => [nameOf(pass), [] as number[]]));
    for (let round = 0; round <= rounds; round += 1) {
      for (const pass of passes) {
        const seconds = await time(unet, pass);
        if (round > 0) times.get(nameOf(pass))!.push(seconds);
      }
    }
    return new Costs(new Map([...times].map(([name, list]) => [name, Math.min(...list)])));
  }

  of(pass: Pass): number {
    return this.#units.get(nameOf(pass))!;
  }

  get entries(): readonly (readonly [name: string, units: number])[] {
    return [...this.#units];
  }
}

function nameOf({ isGuided, branch }: Pass): string {
  const depth = branch === undefined ? "whole" : `shallow, branch ${branch}`;
  return `${depth}, ${isGuided ? "guided" : "conditional half"}`;
}

/** Seconds of one pass for 10.24 s of music. */
async function time(unet: UNet, { isGuided, branch }: Pass): Promise<number> {
  const rows = isGuided ? 2 : 1;
  using latents = await Tensor.randn([rows, unet.config.in_channels, 256, 16], { seed: 1 });
  using labels = await Tensor.randn([rows, 512], { seed: 2 });
  using all = await unet.condition([500], labels);
  using conditioning = await all.select(0, 0);
  if (branch === undefined) {
    const start = performance.now();
    (await unet.predict(latents, conditioning)).dispose();
    return (performance.now() - start) / 1000;
  }
  const kept = await unet.predictKeeping(latents, conditioning, branch);
  using feature = kept.feature;
  kept.prediction.dispose();
  const start = performance.now();
  (await unet.predictShallow(latents, conditioning, feature)).dispose();
  return (performance.now() - start) / 1000;
}

/** A network that adds up what its passes would cost at full size. */
export class CountingUNet implements UNetPasses {
  units = 0;
  readonly #unet: UNetPasses;
  readonly #costs: Costs;
  readonly #items: number;

  /** @param items rows of a pass without guidance */
  constructor(unet: UNetPasses, costs: Costs, items: number) {
    this.#unet = unet;
    this.#costs = costs;
    this.#items = items;
  }

  readonly condition: UNetPasses["condition"] = async (...args) => this.#unet.condition(...args);

  readonly predict: UNetPasses["predict"] = async (...args) => {
    this.#count(args[0]);
    return this.#unet.predict(...args);
  };

  readonly predictKeeping: UNetPasses["predictKeeping"] = async (...args) => {
    this.#count(args[0]);
    return this.#unet.predictKeeping(...args);
  };

  readonly predictShallow: UNetPasses["predictShallow"] = async (...args) => {
    this.#count(args[0], args[2]);
    return this.#unet.predictShallow(...args);
  };

  #count({ shape }: Tensor, feature?: Pick<Required<DeepCacheSettings>, "branch">): void {
    const isGuided = shape[0] !== this.#items;
    this.units += this.#costs.of({ isGuided, ...(feature && { branch: feature.branch }) });
  }
}
