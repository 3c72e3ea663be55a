import type { CallOptions } from "../runtime/abort.js";
import type { DType } from "../runtime/native.js";
import { Tensor } from "../tensor/tensor.js";
import type { AudioTower } from "./audio-tower.js";
import type { ClapFeatureExtractor } from "./feature-extractor.js";
import { unitRows } from "./unit.js";

/** Where the towers compute, and in what precision. */
export interface TowerPlace {
  readonly device: string;
  readonly dtype: DType;
}

/** How a clip longer than the window is cut: the extractor's `window`, and its seed. */
export interface Crop {
  readonly window: "start" | "random";
  readonly seed?: number | undefined;
}

/** Turns samples into CLAP embeddings. Disposing it disposes its tower. */
export class AudioEncoder implements Disposable {
  readonly tower: AudioTower;
  readonly extractor: ClapFeatureExtractor;
  readonly #place: TowerPlace;

  constructor(tower: AudioTower, extractor: ClapFeatureExtractor, place: TowerPlace) {
    this.tower = tower;
    this.extractor = extractor;
    this.#place = place;
  }

  /** The same tower behind another mel front end; only one of the two is to be disposed. */
  withExtractor(extractor: ClapFeatureExtractor): AudioEncoder {
    return new AudioEncoder(this.tower, extractor, this.#place);
  }

  /**
   * Embed mono clips of at most one window at the extractor's rate → `[clips, W]` of unit norm. A
   * clip's embedding does not depend on the others.
   *
   * Errors: `E_ARGUMENT`, `E_ABORTED`.
   */
  async encode(clips: readonly Float32Array[], options: CallOptions = {}): Promise<Tensor> {
    const { signal } = options;
    using features = await this.extractor.extract(clips, { window: "start", signal });
    // Nothing is left out of a window, so that there is nothing to fuse.
    const isLonger = clips.map(() => false);
    return await this.#run(features.inputFeatures, isLonger, options);
  }

  /**
   * Embed clips of any length by a crop of each, or with fusion by three crops and the whole →
   * `[clips, W]` of unit norm. Each clip is cut by its own crop.
   */
  async encodeWhole(
    clips: readonly Float32Array[],
    crops: readonly Crop[],
    options: CallOptions = {},
  ): Promise<Tensor> {
    const parts: Tensor[] = [];
    const isLonger: boolean[] = [];
    try {
      for (const [i, clip] of clips.entries()) {
        const { window = "start", seed } = crops[i] ?? {};
        const { signal } = options;
        const seeded = seed === undefined ? {} : { seed };
        const features = await this.extractor.extract([clip], { window, ...seeded, signal });
        parts.push(features.inputFeatures);
        isLonger.push(features.isLonger[0] ?? false);
      }
      using all = await Tensor.cat(parts);
      return await this.#run(all, isLonger, options);
    } finally {
      for (const part of parts) part.dispose();
    }
  }

  dispose(): void {
    this.tower.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  async #run(
    features: Tensor,
    isLonger: readonly boolean[],
    options: CallOptions,
  ): Promise<Tensor> {
    using placed = await features.to(this.#place);
    using output = await this.tower.forward(placed, isLonger, { signal: options.signal });
    using embeds = await output.audioEmbeds.to({ device: "cpu", dtype: "float32" });
    return await unitRows(embeds);
  }
}
