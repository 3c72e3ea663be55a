import { DeepCache } from "../diffusion/deep-cache.js";
import type { DeepCacheSettings } from "../diffusion/deep-cache.js";
import type { NoiseLevel } from "../diffusion/plan.js";
import type { Network } from "../diffusion/sample.js";
import type { UNetPasses } from "../diffusion/unet.js";
import type { CallOptions } from "../runtime/abort.js";
import type { DType } from "../runtime/native.js";
import { guidance } from "../tensor/domain.js";
import { Tensor } from "../tensor/tensor.js";

/** Noise-to-signal ratios σ / α, both included: `[high, low]`. */
export type GuidanceInterval = readonly [high: number, low: number];

export interface GuidedSettings {
  readonly unet: UNetPasses;
  readonly guidanceScale: number;
  /** Where to guide; elsewhere the conditional half runs alone. Absent: everywhere. */
  readonly guidanceInterval?: GuidanceInterval | undefined;
  readonly deepCache?: DeepCacheSettings | undefined;
  readonly loop: boolean;
  /** Of the UNet; states are float32 throughout. */
  readonly dtype: DType;
}

/** Whether a level lies where guidance is wanted. */
export function isInside({ alpha, sigma }: NoiseLevel, interval?: GuidanceInterval): boolean {
  if (!interval) return true;
  const [high, low] = interval;
  return sigma <= high * alpha && sigma >= low * alpha;
}

/**
 * The UNet of one batch on its way through a plan: guided where that is wanted, conditioned by
 * vectors that are computed once, and with a deep feature to reuse.
 *
 * Source of the interval: Kynkäänniemi et al., arXiv 2404.07724.
 */
export class GuidedUNet implements Disposable {
  readonly #settings: GuidedSettings;
  /** `[evaluations, rows, E]`; with guidance the unconditional rows come first. */
  readonly #conditioning: Tensor;
  readonly #cache: DeepCache;
  readonly #call: CallOptions;

  private constructor(settings: GuidedSettings, conditioning: Tensor, call: CallOptions) {
    this.#settings = settings;
    this.#conditioning = conditioning;
    this.#cache = new DeepCache(settings.unet, settings.deepCache ?? { interval: 1 });
    this.#call = call;
  }

  /**
   * Compute the conditioning of all evaluations.
   *
   * @param labels `[rows, W]`: one row per item, or the unconditional and then the conditional ones
   */
  static async create(
    settings: GuidedSettings,
    labels: Tensor,
    timesteps: readonly number[],
    call: CallOptions,
  ): Promise<GuidedUNet> {
    return new GuidedUNet(settings, await settings.unet.condition(timesteps, labels), call);
  }

  /** Both halves in one evaluation where there is guidance, one half elsewhere. */
  readonly predict: Network = async (state, { index, level }) => {
    const { guidanceScale, guidanceInterval } = this.#settings;
    const hasHalves = this.#conditioning.shape[1] !== state.shape[0];
    if (!hasHalves || !isInside(level, guidanceInterval)) return this.#run(state, index);
    using twice = await Tensor.cat([state, state]);
    using prediction = await this.#run(twice, index);
    const [unconditional, conditional] = await prediction.chunk(2);
    using first = unconditional!;
    using second = conditional!;
    return await guidance(first, second, guidanceScale);
  };

  /** Run the last rows of the conditioning, as many as the state has. */
  async #run(state: Tensor, index: number): Promise<Tensor> {
    const { dtype, loop } = this.#settings;
    const rows = this.#conditioning.shape[1] ?? 0;
    using input = await state.to(dtype);
    using all = await this.#conditioning.select(0, index);
    using own = await all.slice(0, rows - (state.shape[0] ?? 0), rows);
    const options = { circular: loop, signal: this.#call.signal };
    using output = await this.#cache.predict(input, own, options);
    return await output.to("float32");
  }

  [Symbol.dispose](): void {
    this.#cache.dispose();
    this.#conditioning.dispose();
  }
}
