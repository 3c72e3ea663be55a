import type { Packing } from "../nn/module.js";
import type { CallOptions } from "../runtime/abort.js";

/** How a CLAP folder is opened. */
export interface ClapLoadOptions {
  /** `"cpu"` or `"cuda"` / `"cuda:N"`. Default `"cpu"`. */
  readonly device?: string;
  /** Arithmetic of the towers; embeddings are float32 in any case. Default `"float32"`. */
  readonly dtype?: "float32" | "float16" | "bfloat16";
  /** What inference on the CPU in float32 keeps of the weights. Default `"fast"`. */
  readonly packing?: Packing;
  /** Take `model.<variant>.safetensors`, such as `"fp16"`. */
  readonly variant?: string;
  /** Send samples through 16-bit integers first, as laion_clap does. Default false. */
  readonly quantise?: boolean;
}

/**
 * How a clip that is longer than the model's window (10 s) is heard: in overlapping windows all
 * along it (`"fixed"`); as its shrunken whole with three crops, which fused models are trained on
 * (`"fusion"`); or by crops at random places, as the original programs do (`"random"`).
 */
export type AudioWindows = "fixed" | "fusion" | "random";

/** What becomes of the windows of one clip: their mean, their maximum, or a row for each. */
export type AudioPool = "mean" | "max" | "timeline";

export interface EmbedAudioOptions extends CallOptions {
  /** Default `"fixed"`. */
  readonly windows?: AudioWindows | undefined;
  /** Length of a fixed window, up to the model's own. Default: the model's own, 10 s. */
  readonly windowSeconds?: number | undefined;
  /** From the start of one fixed window to that of the next. Default: half a window. */
  readonly hopSeconds?: number | undefined;
  /** Default `"mean"`. Means and maxima are scaled to unit norm again. */
  readonly pool?: AudioPool | undefined;
  /** Seed of random crops; clip i uses seed + i. Needed by, and only for, `windows: "random"`. */
  readonly seed?: number | undefined;
  /** Windows that run through the tower together. Default 8. */
  readonly batchSize?: number | undefined;
  /** Hertz of inputs that are a `Float32Array`. Default 48000. */
  readonly inputSampleRate?: number | undefined;
  /** The mean of all channels (`"mono"`), or the number of one. Default `"mono"`. */
  readonly channels?: "mono" | number | undefined;
}

/** The embedding of a part of a clip. */
export interface TimedEmbedding {
  readonly startSeconds: number;
  readonly endSeconds: number;
  /** `[W]`, unit norm. */
  readonly embedding: Float32Array;
}

/** A text with `{label}` in it, or what makes a text of a label. */
export type LabelTemplate = string | ((label: string) => string);

export interface ClassifyOptions extends Omit<EmbedAudioOptions, "pool"> {
  /**
   * Turns labels into texts; of several, the embeddings are averaged. Default
   * `"This is a sound of {label}."`.
   */
  readonly template?: LabelTemplate | readonly LabelTemplate[] | undefined;
  readonly pool?: "mean" | "max" | undefined;
}

/** How well a label fits a clip. */
export interface Classification {
  readonly label: string;
  /** Where the label was given. */
  readonly index: number;
  /** Softmax over the labels, 0..1. */
  readonly probability: number;
  /** Cosine of the two embeddings, −1..1. */
  readonly similarity: number;
}
