import { melSpectrogram } from "../audio/index.js";
import type { MelOptions } from "../audio/index.js";
import { parseExtractorConfig } from "../checkpoint/config/extractor.js";
import type { ExtractorConfig } from "../checkpoint/config/extractor.js";
import { throwProblems } from "../checkpoint/config/fields.js";
import type { CallOptions } from "../runtime/abort.js";
import { expected } from "../runtime/errors.js";
import { call } from "../runtime/native.js";
import type { NativeTensor } from "../runtime/native.js";
import { Tensor } from "../tensor/tensor.js";
import { checkName } from "../tensor/validate.js";
import { CropChooser } from "./crops.js";
import type { CropOptions } from "./crops.js";

/** Mel spectrograms of one batch. Disposing it disposes the tensor. */
export class ClapFeatures implements Disposable {
  /** `[B, 1, frames, mels]` in dB; of fusion `[B, 4, frames, mels]`: whole, front, middle, back. */
  readonly inputFeatures: Tensor;
  /** Which items a fused audio tower fuses. */
  readonly isLonger: readonly boolean[];

  /** @internal */
  constructor(inputFeatures: Tensor, isLonger: readonly boolean[]) {
    this.inputFeatures = inputFeatures;
    this.isLonger = isLonger;
  }

  dispose(): void {
    this.inputFeatures.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

export interface ExtractorOptions {
  /**
   * Send samples through 16-bit integers, cut towards zero, and back, as laion_clap does before
   * everything else. Default false, as transformers.
   */
  readonly quantise?: boolean;
}

const longerRules = ["laion", "transformers"] as const;

export interface ExtractOptions extends CropOptions, CallOptions {
  /**
   * When an item counts as longer. `"laion"` (default): when it is. `"transformers"`: the same, but
   * if fusion finds no longer item in the call, one of them counts: the first, or with a `seed` one
   * drawn from it.
   */
  readonly longerRule?: (typeof longerRules)[number];
}

/** A wave and its place in the call. */
interface Item {
  readonly number: number;
  readonly wave: Float32Array;
}

/**
 * Makes the input of CLAP's audio tower: transformers' `ClapFeatureExtractor` and laion_clap's
 * `get_audio_features` (`training/data.py`), with windows that do not change from call to call.
 */
export class ClapFeatureExtractor {
  readonly config: ExtractorConfig;
  readonly #quantise: boolean;
  readonly #clipSamples: number;
  readonly #mel: MelOptions;

  /** Errors: `E_CONFIG` names each key and value. */
  constructor(config: ExtractorConfig, { quantise = false }: ExtractorOptions = {}) {
    this.config = checkConfig(config);
    this.#quantise = quantise;
    this.#clipSamples = clipSamples(this.config);
    this.#mel = melOptions(this.config);
  }

  /** Frames of every item. */
  get frames(): number {
    return Math.floor(this.#clipSamples / this.config.hop_length) + 1;
  }

  /**
   * Compute features of mono waves in ±1 at `config.sampling_rate`, of any length.
   *
   * A shorter wave is filled up as `config.padding` says. Of a longer one, `rand_trunc` takes one
   * window, and `fusion` the whole, shrunk, and a window out of each third. `window` and `seed` say
   * which; without a seed they are the same in every call. An item does not depend on the others.
   *
   * @throws E_ARGUMENT for no waves, an empty one, or random windows without a seed; E_NONFINITE
   * names the wave and the sample; E_ABORTED
   */
  async extract(
    waves: readonly Float32Array[],
    options: ExtractOptions = {},
  ): Promise<ClapFeatures> {
    const items = checkWaves(waves);
    const { longerRule = "laion" } = options;
    checkName(longerRules, "longerRule", longerRule);
    const crops = new CropChooser(options);
    if (this.config.truncation === "rand_trunc") return this.#extractCut(items, crops, options);
    const features = await this.#extractFused(items, crops, options);
    if (longerRule === "laion" || features.isLonger.includes(true)) return features;
    const chosen = await crops.any(waves.length);
    const isLonger = waves.map((_, number) => number === chosen);
    return new ClapFeatures(features.inputFeatures, isLonger);
  }

  async #extractCut(
    items: readonly Item[],
    crops: CropChooser,
    options: CallOptions,
  ): Promise<ClapFeatures> {
    const cut: Item[] = [];
    for (const { number, wave } of items) {
      const spare = wave.length - this.#clipSamples;
      const start = spare > 0 ? await crops.one(spare + 1) : 0;
      cut.push({ number, wave: wave.subarray(start, start + this.#clipSamples) });
    }
    using mels = await this.#mels(cut, this.#clipSamples, options);
    const isLonger = items.map(({ wave }) => wave.length > this.#clipSamples);
    return new ClapFeatures(await mels.unsqueeze(1), isLonger);
  }

  async #extractFused(
    items: readonly Item[],
    crops: CropChooser,
    options: CallOptions,
  ): Promise<ClapFeatures> {
    const stacks: Tensor[] = [];
    const isLonger: boolean[] = [];
    const short = items.filter(({ wave }) => wave.length <= this.#clipSamples);
    const together = short.length > 0 ? await this.#mels(short, this.#clipSamples, options) : null;
    try {
      for (const item of items) {
        const row = short.indexOf(item);
        using mel = await (together && row >= 0
          ? together.slice(0, row, row + 1)
          : this.#mels([item], item.wave.length, options));
        isLonger.push((mel.shape[1] ?? 0) > this.frames);
        stacks.push(await this.#stack(mel, crops));
      }
      return new ClapFeatures(await Tensor.cat(stacks), isLonger);
    } finally {
      together?.dispose();
      for (const stack of stacks) stack.dispose();
    }
  }

  /** The mels of one item, `[1, T, mels]` → `[1, 4, frames, mels]`. */
  async #stack(mel: Tensor, crops: CropChooser): Promise<Tensor> {
    const { frames } = this;
    const spare = (mel.shape[1] ?? 0) - frames;
    const starts = spare > 0 ? await crops.three(spare + 1) : [0, 0, 0];
    const args = [mel, frames];
    const parts = [Tensor.fromNative(await call<NativeTensor>("audio.resize_frames", args))];
    try {
      for (const start of starts) parts.push(await mel.slice(1, start, start + frames));
      return await Tensor.stack(parts, 1);
    } finally {
      for (const part of parts) part.dispose();
    }
  }

  /** Fill up or cut to `samples` → `[items, frames, mels]`. */
  async #mels(items: readonly Item[], samples: number, options: CallOptions): Promise<Tensor> {
    const { padding: filling } = this.config;
    const settings = { samples, filling, quantise: this.#quantise };
    const args = [items.map(({ wave }) => wave), items.map(({ number }) => number), settings];
    const native = await call<NativeTensor>("audio.make_clips", args, options);
    using clips = Tensor.fromNative(native);
    const { signal } = options;
    return await melSpectrogram(clips, { ...this.#mel, signal });
  }
}

function clipSamples({ max_length_s, sampling_rate }: ExtractorConfig): number {
  return Math.floor(max_length_s * sampling_rate);
}

function melOptions(config: ExtractorConfig): MelOptions {
  return {
    preset: config.truncation === "fusion" ? "clap-fused" : "clap",
    sampleRate: config.sampling_rate,
    fftSize: config.fft_window_size,
    hopSamples: config.hop_length,
    melBins: config.feature_size,
    fMin: config.frequency_min,
    fMax: config.frequency_max,
    precision: "float64",
  };
}

function checkConfig(given: ExtractorConfig): ExtractorConfig {
  const file = "the extractor's configuration";
  const { config } = parseExtractorConfig(given, file);
  const highest = config.sampling_rate / 2;
  const shortest = Math.floor(config.fft_window_size / 2) + 1;
  const problems = [
    {
      isWrong: config.fft_window_size % 2 !== 0,
      key: "fft_window_size",
      expected: "an even number",
      value: config.fft_window_size,
    },
    {
      isWrong: config.frequency_max > highest,
      key: "frequency_max",
      expected: `at most half of sampling_rate, ${highest},`,
      value: config.frequency_max,
    },
    {
      isWrong: clipSamples(config) < shortest,
      key: "max_length_s",
      expected: `a time of at least ${shortest} samples`,
      value: config.max_length_s,
    },
  ];
  throwProblems(
    file,
    problems.filter(({ isWrong }) => isWrong),
  );
  return config;
}

function checkWaves(waves: unknown): readonly Item[] {
  if (!Array.isArray(waves) || waves.length === 0) {
    throw expected("E_ARGUMENT", "at least one wave", "waves", waves);
  }
  return waves.map((wave: unknown, number) => {
    if (wave instanceof Float32Array && wave.length > 0) return { number, wave };
    const received = wave instanceof Float32Array ? "an empty one" : wave;
    throw expected("E_ARGUMENT", "a Float32Array of samples", `waves[${number}]`, received);
  });
}
