import type { Checkpoint } from "../checkpoint/checkpoint.js";
import type { ClapAudioConfig, HtsatConfig } from "../checkpoint/config/clap-audio.js";
import { Module } from "../nn/module.js";
import type { ModuleLoadOptions, NamedTensors } from "../nn/module.js";
import type { CallOptions } from "../runtime/abort.js";
import { expected } from "../runtime/errors.js";
import { call } from "../runtime/native.js";
import type { NativeReference, NativeTensor } from "../runtime/native.js";
import { checkTensor } from "../tensor/base.js";
import { Tensor } from "../tensor/tensor.js";

const encoder = "audio_model.audio_encoder.";

/** The other half of a `ClapModel`, heads for classes, and the spectrogram that a mel replaces. */
const ignored = [
  "text_model.",
  "text_projection.",
  "logit_scale",
  ...["tscam_conv.", "head.", "fc_audioset.", "spectrogram_extractor.", "logmel_extractor."].map(
    (name) => encoder + name,
  ),
];

/** What the audio tower answers. Disposing it disposes the tensors. */
export class AudioTowerOutput implements Disposable {
  /** HTSAT: the last map, `[B, C, F', T']`; PANN: its mean over frequency, `[B, C, T']`. */
  readonly lastHiddenState: Tensor;
  /** The clip as a whole, `[B, C]`. */
  readonly poolerOutput: Tensor;
  /** Its projection `[B, W]`, not normalised. */
  readonly audioEmbeds: Tensor;

  /** @internal */
  constructor(native: Readonly<Record<string, NativeTensor>>) {
    const take = (key: string): Tensor => Tensor.fromNative(native[key] as NativeTensor);
    this.lastHiddenState = take("last_hidden_state");
    this.poolerOutput = take("pooler_output");
    this.audioEmbeds = take("audio_embeds");
  }

  dispose(): void {
    for (const tensor of [this.lastHiddenState, this.poolerOutput, this.audioEmbeds]) {
      tensor.dispose();
    }
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/**
 * CLAP's audio tower with its projection: HTSAT as transformers' `ClapAudioModelWithProjection` has
 * it, in any size and with laion_clap's kinds of fusion, or a PANN (CNN14, CNN10, CNN6).
 *
 * In training, BatchNorm follows the batches, and stochastic depth drops both branches of a block,
 * as laion_clap trains; `seed` makes it repeatable.
 *
 * Sources: Wu et al., arXiv 2211.06687; Chen et al., arXiv 2202.00874; Kong et al., arXiv
 * 1912.10211.
 */
export class AudioTower extends Module {
  readonly config: ClapAudioConfig;

  private constructor({ handle }: NativeReference, config: ClapAudioConfig) {
    super(handle);
    this.config = config;
  }

  /** Build the network without parameters. Errors: `E_CONFIG`. */
  static async create(config: ClapAudioConfig): Promise<AudioTower> {
    const native = config.model_type === "pann" ? config : withPatchSides(config);
    return new AudioTower(await call<NativeReference>("clap_audio.create", [native]), config);
  }

  /**
   * Load from the audio tower alone or from a whole `ClapModel`, heads for classes left aside.
   *
   * Errors: `E_CHECKPOINT`.
   */
  override async load(
    source: Checkpoint | NamedTensors,
    options: ModuleLoadOptions = {},
  ): Promise<void> {
    const allowedExtra = [...ignored, ...derived(this.config), ...(options.allowedExtra ?? [])];
    await super.load(source, { ...options, allowedExtra });
  }

  /** Channels of `poolerOutput`. */
  get width(): number {
    return this.config.hidden_size;
  }

  /** Mels that the features of a clip have: 4 with fusion (the whole, front, middle and back). */
  get channels(): number {
    if (this.config.enable_fusion) return 4;
    return this.config.model_type === "pann" ? 1 : this.config.patch_embed_input_channels;
  }

  /**
   * Run on log-mel features `[B, channels, frames, mels]` in dB, as `ClapFeatureExtractor` makes
   * them. An HTSAT takes at most 1024 frames of 64 mels and stretches fewer; a PANN any number from
   * 32 on (CNN6: 16).
   *
   * @param isLonger The clips that go on beyond their first mel, which with fusion have the other
   *   mels merged in. Default: none. Without fusion it has no effect.
   * Errors: `E_SHAPE`, `E_DTYPE`, `E_ARGUMENT`.
   */
  async forward(
    features: Tensor,
    isLonger: readonly boolean[] | null = null,
    options: CallOptions = {},
  ): Promise<AudioTowerOutput> {
    checkTensor("features", features);
    checkFlags(isLonger);
    return new AudioTowerOutput(
      await call("clap_audio.forward", [this, features, isLonger], options),
    );
  }
}

function withPatchSides(config: HtsatConfig): object {
  const { patch_size: size } = config;
  const [height, width = height] = typeof size === "number" ? [size] : size;
  return { ...config, patch_size: [height, width] };
}

function checkFlags(isLonger: unknown): void {
  if (isLonger === null) return;
  const isList = Array.isArray(isLonger) && isLonger.every((flag) => typeof flag === "boolean");
  if (!isList) throw expected("E_ARGUMENT", "a list of booleans or null", "isLonger", isLonger);
  if (isLonger.length === 0) throw expected("E_SHAPE", "one entry a row", "isLonger", isLonger);
}

/** Tables that some checkpoints store beside the parameters that they are derived from. */
function derived(config: ClapAudioConfig): readonly string[] {
  if (config.model_type === "pann") return [];
  return config.depths.flatMap((depth, stage) =>
    Array.from({ length: depth }, (_, i) => `${encoder}layers.${stage}.blocks.${i}.`).flatMap(
      (block) => [`${block}attn_mask`, `${block}attention.self.relative_position_index`],
    ),
  );
}
