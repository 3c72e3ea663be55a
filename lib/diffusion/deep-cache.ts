import type { Tensor } from "../tensor/tensor.js";
import type { DeepFeature, UNetOptions, UNetPasses } from "./unet.js";

export interface DeepCacheSettings {
  /** Of how many evaluations in turn the first runs the whole network; 1 is no saving. */
  readonly interval: number;
  /** How far down the others go: they run `branch` layers of the way down. Default 0. */
  readonly branch?: number;
}

/**
 * One stream of evaluations at falling noise levels, of which every N-th runs the whole network and
 * the others reuse its deep feature.
 *
 * Evaluations are counted, not solver steps: where a solver looks at two levels in a step, or twice
 * at one level, the feature is still that of the nearest level before. A batch that shrinks keeps
 * the last rows of the feature; one that grows has no feature yet and runs the whole network.
 *
 * Source: Ma et al., "DeepCache", arXiv 2312.00858, with its uniform 1:N strategy.
 */
export class DeepCache implements Disposable {
  readonly #unet: UNetPasses;
  readonly #interval: number;
  readonly #branch: number;
  #feature: DeepFeature | undefined;
  /** Evaluations since the whole network ran, that one included. */
  #age = 0;

  constructor(unet: UNetPasses, { interval, branch = 0 }: DeepCacheSettings) {
    this.#unet = unet;
    this.#interval = interval;
    this.#branch = branch;
  }

  /** As `UNet.predict`, for the next evaluation of the stream. */
  async predict(latents: Tensor, conditioning: Tensor, options: UNetOptions): Promise<Tensor> {
    if (this.#interval === 1) return this.#unet.predict(latents, conditioning, options);
    const rows = latents.shape[0] ?? 0;
    const kept = this.#feature?.tensor.shape[0] ?? 0;
    if (!this.#feature || this.#age >= this.#interval || kept < rows) {
      return this.#refresh(latents, conditioning, options);
    }
    if (kept > rows) this.#keep(await this.#feature.rows(kept - rows, kept));
    this.#age += 1;
    return this.#unet.predictShallow(latents, conditioning, this.#feature, options);
  }

  async #refresh(latents: Tensor, conditioning: Tensor, options: UNetOptions): Promise<Tensor> {
    const branch = this.#branch;
    const kept = await this.#unet.predictKeeping(latents, conditioning, branch, options);
    this.#keep(kept.feature);
    this.#age = 1;
    return kept.prediction;
  }

  #keep(feature: DeepFeature | undefined): void {
    this.#feature?.dispose();
    this.#feature = feature;
  }

  /** Free the feature; a next evaluation starts anew. */
  dispose(): void {
    this.#keep(undefined);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
