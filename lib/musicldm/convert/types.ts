import type { LayoutName, ModelKind } from "../../checkpoint/convert/source.js";
import type { Json } from "../../checkpoint/convert/types.js";
import type { CallOptions } from "../../runtime/abort.js";

/** Layouts to convert to: the published one, or the originals' own. */
export const targetNames = ["huggingface", "laion", "ldm", "hifigan"] as const;
export type TargetName = (typeof targetNames)[number];

export const convertedDtypes = ["float32", "float16", "bfloat16"] as const;
export type ConvertedDType = (typeof convertedDtypes)[number];

/** Parts of a configuration that can be set by hand. */
export const settingParts = [
  "clap",
  "text",
  "audio",
  "extractor",
  "unet",
  "vae",
  "vocoder",
  "scheduler",
] as const;
export type SettingPart = (typeof settingParts)[number];

export interface ConvertOptions extends CallOptions {
  /** A checkpoint file, or a folder in the published layout. */
  readonly input: string;
  /** A folder for the published layout, a file for the originals'. */
  readonly output: string;
  /** Default `"huggingface"`. */
  readonly to?: TargetName | undefined;
  /** A folder with the tokenizer's files, which checkpoints do not hold; they are copied. */
  readonly tokenizer?: string | undefined;
  /** Of floating-point weights. Default: as they are. */
  readonly dtype?: ConvertedDType | undefined;
  /** Which weights of a UNet that was trained with moving averages. Default `"raw"`. */
  readonly weights?: "raw" | "ema" | undefined;
  /** What a latent-diffusion checkpoint becomes, which it does not tell. Default `"musicldm"`. */
  readonly pipeline?: "musicldm" | "audioldm" | undefined;
  /**
   * Take along tensors that the published layout has no place for, under `original.`, so that
   * nothing is lost on the way back. Default true.
   */
  readonly keep?: boolean | undefined;
  /** Settings that replace those read from shapes or assumed. */
  readonly settings?: Readonly<Partial<Record<SettingPart, Json>>> | undefined;
  /** Replace what is at `output`. Default false. */
  readonly force?: boolean | undefined;
}

/** A network that was converted. */
export interface ConvertedPart {
  readonly name: string;
  readonly tensors: number;
  readonly elements: number;
  readonly bytes: number;
  /** The configuration that was written, or null for the original layouts. */
  readonly config: Json | null;
}

export interface ConvertResult {
  readonly input: string;
  readonly output: string;
  /** The layout that was found, and what it holds. */
  readonly layout: LayoutName;
  readonly kind: ModelKind;
  readonly to: TargetName;
  readonly parts: readonly ConvertedPart[];
  readonly tensors: number;
  readonly elements: number;
  readonly bytes: number;
  /** Original names that the published layout has no place for and that were taken along. */
  readonly kept: readonly string[];
  /** Names of the input that the output does not have. */
  readonly dropped: readonly string[];
  /** What the user should know. */
  readonly notices: readonly string[];
}
