import type { AudioInput } from "../audio/index.js";
import { openClapFolder } from "../checkpoint/clap-folder.js";
import type { ClapConfig } from "../checkpoint/index.js";
import { checkPlace, requireKnown } from "../nn/open.js";
import type { CallOptions } from "../runtime/abort.js";
import { requireObject, requireOptions } from "../runtime/arguments.js";
import { expected } from "../runtime/errors.js";
import { averageRows, cosines, rankLabels } from "./compare.js";
import type { EmbeddingIndex, SearchHit } from "./embedding-index.js";
import { embedWindows, poolWindows } from "./embed-audio.js";
import type { IndexSearchOptions } from "./index-input.js";
import { openParts } from "./open.js";
import type { ClapParts } from "./open.js";
import { checkEmbedAudio, labelTexts } from "./options.js";
import { searchIndex } from "./search.js";
import type { SearchQuery } from "./search.js";
import type {
  Classification,
  ClapLoadOptions,
  ClassifyOptions,
  EmbedAudioOptions,
  TimedEmbedding,
} from "./types.js";
import { rowsOf } from "./unit.js";
import { verifyParts } from "./verify/verify.js";
import type { VerifyReport } from "./verify/verify.js";

const optionNames = ["device", "dtype", "packing", "variant", "quantise", "signal", "onProgress"];

/**
 * Contrastive language-audio pretraining: sounds and texts as points of one space, where what
 * belongs together is near.
 *
 * Source: Wu et al., arXiv 2211.06687; semantics of transformers' `ClapModel`.
 */
export class Clap implements Disposable {
  readonly #parts: ClapParts;

  /** @internal */
  constructor(parts: ClapParts) {
    this.#parts = parts;
  }

  /**
   * Open a CLAP folder in transformers' layout, or the CLAP inside a MusicLDM folder.
   *
   * Errors: `E_IO`, `E_CHECKPOINT`, `E_CONFIG`, `E_ARGUMENT`, `E_NO_CUDA`, `E_LIBTORCH`,
   * `E_ABORTED`.
   */
  static async fromPretrained(
    folder: string,
    options: ClapLoadOptions & CallOptions = {},
  ): Promise<Clap> {
    requireKnown(options, optionNames);
    if (typeof folder !== "string" || folder === "") {
      throw expected("E_ARGUMENT", "the path of a CLAP folder", "folder", folder);
    }
    const place = checkPlace(options);
    const { variant, quantise, signal } = options;
    const opened = await openClapFolder(folder, { variant });
    return new Clap(await openParts(opened, place, { quantise, signal }));
  }

  get config(): ClapConfig {
    return this.#parts.folder.config;
  }

  /** Numbers of an embedding, 512 in the published models. */
  get embeddingSize(): number {
    return this.#parts.folder.config.text.projection_dim;
  }

  /** Identifies the model: embeddings of equal fingerprints may be compared. Hexadecimal. */
  get fingerprint(): string {
    return this.#parts.fingerprint;
  }

  /** Hertz that audio is resampled to. */
  get sampleRate(): number {
    return this.#parts.folder.extractor.sampling_rate;
  }

  /** What the audio tower hears at once. */
  get windowSeconds(): number {
    return this.#parts.folder.extractor.max_length_s;
  }

  /** What `classify` multiplies cosines by: exp of `logit_scale_a`, 1..100. */
  get logitScaleAudio(): number {
    return this.#parts.scales.audio;
  }

  /** exp of `logit_scale_t`, which inference does not use. */
  get logitScaleText(): number {
    return this.#parts.scales.text;
  }

  /**
   * Embed texts → one row of unit norm each. What is longer than the tokenizer's limit is cut.
   *
   * Errors: `E_ARGUMENT`, `E_ABORTED`, `E_NONFINITE`, `E_DISPOSED`.
   */
  async embedText(
    texts: readonly string[],
    options: CallOptions = {},
  ): Promise<readonly Float32Array[]> {
    requireOptions(options);
    const { signal, onProgress } = options;
    onProgress?.({ stage: "text", step: 0, totalSteps: 1 });
    using encoding = await this.#parts.text.encode(texts, { signal });
    const rows = await rowsOf(encoding.embeddings, "text");
    onProgress?.({ stage: "text", step: 1, totalSteps: 1 });
    return rows;
  }

  /**
   * Embed clips → one row of unit norm each, or with `pool: "timeline"` a list of windows each.
   *
   * A clip of up to 10 s is one window; it is repeated to fill it. Longer ones are covered by
   * overlapping windows, of which the last ends where the clip ends; nothing is random. Files are
   * streamed, whatever their length (not with `windows: "fusion"` or `"random"`).
   *
   * Errors: `E_ARGUMENT`, `E_AUDIO`, `E_IO`, `E_NONFINITE`, `E_ABORTED`, `E_DISPOSED`.
   */
  async embedAudio(
    inputs: readonly AudioInput[],
    options: EmbedAudioOptions & { readonly pool: "timeline" },
  ): Promise<readonly (readonly TimedEmbedding[])[]>;
  async embedAudio(
    inputs: readonly AudioInput[],
    options?: EmbedAudioOptions & { readonly pool?: "mean" | "max" | undefined },
  ): Promise<readonly Float32Array[]>;
  async embedAudio(
    inputs: readonly AudioInput[],
    options: EmbedAudioOptions = {},
  ): Promise<readonly Float32Array[] | readonly (readonly TimedEmbedding[])[]> {
    const { audio, folder } = this.#parts;
    const { isFused } = this;
    const checked = checkEmbedAudio(options, {
      seconds: this.windowSeconds,
      sampleRate: this.sampleRate,
      isFused,
    });
    if (!Array.isArray(inputs) || inputs.length === 0) {
      throw expected("E_ARGUMENT", "at least one clip in a list", "inputs", inputs);
    }
    requireFront(isFused, folder.extractor.truncation);
    const { pool } = checked;
    const found = await embedWindows(audio, inputs, checked);
    if (pool === "timeline") return found;
    return Promise.all(found.map((windows) => poolWindows(windows, pool)));
  }

  /** Whether long clips can be heard by `windows: "fusion"`. */
  get isFused(): boolean {
    const { audio } = this.#parts.folder.config;
    return "enable_fusion" in audio && audio.enable_fusion;
  }

  /**
   * Compare embeddings → for each of `a` a row with its cosine to each of `b`.
   *
   * @param options `scaled`: multiply by `logitScaleAudio`, as the loss of the training does.
   * Errors: `E_ARGUMENT`, `E_SHAPE`, `E_NONFINITE`.
   */
  async similarity(
    a: readonly Float32Array[],
    b: readonly Float32Array[],
    options: { readonly scaled?: boolean } = {},
  ): Promise<readonly Float32Array[]> {
    requireObject("options", options);
    return cosines(a, b, options.scaled === true ? this.logitScaleAudio : 1);
  }

  /**
   * Embed labels by way of a template → one row of unit norm each; see `classify`.
   *
   * Errors: as of `embedText`.
   */
  async embedLabels(
    labels: readonly string[],
    options: Pick<ClassifyOptions, "template" | "signal"> = {},
  ): Promise<readonly Float32Array[]> {
    requireOptions(options);
    const { template, signal } = options;
    const lists: (readonly Float32Array[])[] = [];
    for (const texts of labelTexts(labels, template)) {
      lists.push(await this.embedText(texts, { signal }));
    }
    return averageRows(lists);
  }

  /**
   * Say which label fits a clip best, without training for them: all labels, best first.
   *
   * Errors: as of `embedAudio`.
   */
  async classify(
    audio: AudioInput,
    labels: readonly string[],
    options: ClassifyOptions = {},
  ): Promise<readonly Classification[]> {
    requireOptions(options);
    const { template, ...listening } = options;
    const pool: string = options.pool ?? "mean";
    if (pool === "timeline") throw expected("E_ARGUMENT", '"mean" or "max"', "pool", pool);
    const texts = await this.embedLabels(labels, { template, signal: options.signal });
    const rows = await this.embedAudio([audio], listening);
    const [similarities] = await this.similarity(rows, texts);
    return rankLabels(labels, similarities!, this.logitScaleAudio);
  }

  /**
   * Find the parts of an index's files that fit a text or sound like a clip; see `searchIndex`.
   *
   * Errors: `E_ARGUMENT`, `E_CONFIG` (an index of another model), `E_AUDIO`, `E_ABORTED`.
   */
  async search(
    index: EmbeddingIndex,
    query: SearchQuery,
    options: IndexSearchOptions = {},
  ): Promise<readonly SearchHit[]> {
    return await searchIndex(this, index, query, options);
  }

  /**
   * Look for a collapsed tower, a wrong mel variant and scrambled weights; see docs/clap.md for
   * what such a report can see.
   *
   * Errors: `E_ABORTED`, `E_DISPOSED`.
   */
  async verify(options: CallOptions = {}): Promise<VerifyReport> {
    requireOptions(options);
    return verifyParts(this.#parts, options);
  }

  /** Free all weights; calls that run reject with `E_DISPOSED`. Idempotent. */
  dispose(): void {
    this.#parts.text.dispose();
    this.#parts.audio.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** The front end makes four channels for fused models, and by another filter bank. */
function requireFront(isFused: boolean, truncation: string): void {
  const wanted = isFused ? "fusion" : "rand_trunc";
  if (truncation === wanted) return;
  const what = `"${wanted}" (${isFused ? "a" : "no"} fused model; see \`musicldm verify\`)`;
  throw expected("E_CONFIG", what, "truncation in preprocessor_config.json", truncation);
}
