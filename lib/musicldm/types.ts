import type { Clap } from "../clap/clap.js";
import type { DeepCacheSettings } from "../diffusion/deep-cache.js";
import type { SolverName } from "../diffusion/solvers/index.js";
import type { Packing } from "../nn/module.js";
import type { CallOptions } from "../runtime/abort.js";
import type { Tensor } from "../tensor/tensor.js";
import type { GuidanceInterval } from "./guided.js";
import type { Quality } from "./quality.js";

/** What `generate` returns: decoded waveforms, log-mel spectrograms, or scaled latents. */
export type OutputKind = "waveform" | "mel" | "latent";

/** How a folder is opened. */
export interface LoadOptions {
  /** `"cpu"` or `"cuda"` / `"cuda:N"`. Default `"cpu"`. */
  readonly device?: string;
  /** Arithmetic of the networks. Default `"float32"`. */
  readonly dtype?: "float32" | "float16" | "bfloat16";
  /**
   * Attention heads of the UNet: `"config"` as diffusers reads the folder, `"trained"` for 32
   * channels a head, as the network was trained. Default `"config"`.
   */
  readonly attentionHeads?: "config" | "trained";
  /**
   * What inference on the CPU in float32 keeps of the weights: `"fast"` packs them for the fastest
   * algorithm of each layer, `"compact"` for algorithms that need no more memory than the weights,
   * `"none"` leaves them to libtorch's operators. Default `"fast"`.
   */
  readonly packing?: Packing;
}

/** Settings that `generate` and `edit` share. */
export interface SamplingOptions extends CallOptions {
  /** One text or several. */
  readonly prompt?: string | readonly string[];
  /** What to steer away from; absent means the empty text. One, or one per prompt. */
  readonly negativePrompt?: string | readonly string[];
  /** Preset of solver, steps and savings that other options override. Default `"standard"`. */
  readonly quality?: Quality;
  /** Steps of the solver, 1..1000. Default: the preset's, or the own ones of a named solver. */
  readonly steps?: number;
  /** Solver. Default: the preset's, `"unipc"` on exponential noise levels; see docs/solvers.md. */
  readonly scheduler?: SolverName;
  /** Classifier-free guidance scale, 0..100; at 1 or below there is no guidance. Default 2. */
  readonly guidanceScale?: number;
  /**
   * Guide only at noise levels σ / α within `[high, low]`, both included; elsewhere the conditional
   * half runs alone. Default: everywhere.
   */
  readonly guidanceInterval?: GuidanceInterval;
  /** Reuse deep features of the UNet: every `interval`-th evaluation is whole. Default: off. */
  readonly deepCache?: DeepCacheSettings;
  /** Stochasticity of DDIM in 0..1. Default 0. */
  readonly eta?: number;
  /** Karras or exponential spacing of the noise levels, where the solver supports it. */
  readonly sigmas?: "karras" | "exponential";
  /** Seed of the first item; item i uses seed + i. Default: random. Or one seed per item. */
  readonly seed?: number | readonly number[];
  /** Items per prompt. Default 1. */
  readonly count?: number;
  /** Items denoised in one network call. Default 1 on the CPU, all on CUDA. */
  readonly batchSize?: number;
  /** Unit-norm CLAP embeddings `[prompts, 512]` in place of `prompt`. */
  readonly promptEmbeds?: Tensor;
  /** Unit-norm CLAP embeddings `[prompts, 512]` in place of `negativePrompt`. */
  readonly negativePromptEmbeds?: Tensor;
  /** What to return. Default `"waveform"`. */
  readonly output?: OutputKind;
  /** Return the mel and the latents beside the waveforms; the caller disposes them. */
  readonly intermediates?: boolean;
}

export interface GenerateOptions extends SamplingOptions {
  /** Length in seconds, at least 0.1. Default: the folder's (10.24 for MusicLDM). */
  readonly seconds?: number;
  /** Unit-variance starting noise `[items, channels, frames / 4, 16]`, in place of the seeds'. */
  readonly latents?: Tensor;
  /** Make time circular, so that the end joins the start. */
  readonly loop?: boolean;
  /**
   * Order the items of each prompt by how well CLAP finds that they fit it, best first, and return
   * the scores: by the CLAP of the folder (`true`), or by another one. Default: off.
   */
  readonly rerank?: boolean | { readonly clap: Clap };
}

/** A span of the clip that is generated anew, in seconds. */
export interface TimeSpan {
  readonly startSeconds: number;
  readonly endSeconds: number;
}

/** Mono samples in ±1, at any rate. */
export interface SourceAudio {
  readonly samples: Float32Array;
  readonly sampleRate: number;
}

export interface EditOptions extends SamplingOptions {
  readonly audio: SourceAudio;
  /** 0..1: how much of the noise schedule is run; 1 forgets the source. Exclusive with `mask`. */
  readonly strength?: number;
  /** What to generate anew; the rest keeps the source's encoded latents bit for bit. */
  readonly mask?: readonly TimeSpan[];
  /** Extend the clip to this length; what lies beyond the source is generated (continuation). */
  readonly seconds?: number;
}

export interface GenerationResult {
  /** One mono waveform per item in ±1, prompt-major (p0 p0 p1 p1); empty unless asked for. */
  readonly waveforms: readonly Float32Array[];
  readonly sampleRate: number;
  /** The seed of each item. */
  readonly seeds: readonly number[];
  /** With `rerank`: the cosine of each item's sound and its prompt, −1..1. */
  readonly scores?: readonly number[];
  /** `[items, frames, melBins]` log-mel, for `"mel"` or `intermediates`; the caller disposes it. */
  readonly mel?: Tensor;
  /** `[items, channels, frames / 4, melBins / 4]` scaled latents, for `"latent"` likewise. */
  readonly latents?: Tensor;
  /** What the caller should know: cut prompts, silent items. */
  readonly warnings: readonly string[];
  /** The settings that were in force, defaults filled in. */
  readonly settings: GenerationSettings;
}

export interface GenerationSettings {
  /** Empty where embeddings came in their place. */
  readonly prompts: readonly string[];
  readonly negativePrompts: readonly string[];
  /** Items per prompt. */
  readonly count: number;
  readonly seconds: number;
  readonly steps: number;
  readonly scheduler: SolverName;
  readonly guidanceScale: number;
  /** Absent where guidance is everywhere. */
  readonly guidanceInterval?: GuidanceInterval;
  readonly deepCache?: DeepCacheSettings;
  readonly eta: number;
  readonly loop: boolean;
  /** Noise levels, where they are not the scheduler config's. */
  readonly sigmas?: "karras" | "exponential";
  /** SHA-256 that identifies the folder's weights, hexadecimal; see docs/checkpoints.md. */
  readonly weightsHash: string;
  readonly version: string;
}
