import type { Checkpoint } from "../checkpoint/checkpoint.js";
import { Module } from "../nn/module.js";
import type { ModuleLoadOptions, NamedTensors } from "../nn/module.js";
import type { CallOptions } from "../runtime/abort.js";
import { call } from "../runtime/native.js";
import type { NativeReference, NativeTensor } from "../runtime/native.js";
import { Tensor } from "../tensor/tensor.js";
import { expected } from "../runtime/errors.js";

/** The towers of a `ClapModel`. */
const ignored = ["text_model.", "text_projection.", "audio_model.", "audio_projection."];

/** What cosine similarities are multiplied by. Disposing it disposes the tensors. */
export interface LogitScaleValues extends Disposable {
  /** `[]`: of the losses of both directions. */
  readonly audio: Tensor;
  /** `[]`: of the loss of the MLP heads; transformers scales text to audio with it. */
  readonly text: Tensor;
}

/**
 * CLAP's two learned scales, `logit_scale_a` and `logit_scale_t`, which are stored as logarithms.
 * Source: Radford et al., arXiv 2103.00020; Wu et al., arXiv 2211.06687.
 */
export class LogitScales extends Module {
  private constructor({ handle }: NativeReference) {
    super(handle);
  }

  /**
   * Build the scales without values.
   *
   * @param initial What `initialise` sets both to. Default: 1 / 0.07. Errors: `E_ARGUMENT`.
   */
  static async create(initial = 1 / 0.07): Promise<LogitScales> {
    if (!Number.isFinite(initial) || initial <= 0) {
      throw expected("E_ARGUMENT", "a number above 0", "initial", initial);
    }
    return new LogitScales(await call<NativeReference>("logit_scales.create", [initial]));
  }

  /** Load from the scales alone or from a whole `ClapModel`. Errors: `E_CHECKPOINT`. */
  override async load(
    source: Checkpoint | NamedTensors,
    options: ModuleLoadOptions = {},
  ): Promise<void> {
    const allowedExtra = [...ignored, ...(options.allowedExtra ?? [])];
    await super.load(source, { ...options, allowedExtra });
  }

  /** Compute both scales. */
  async forward(options: CallOptions = {}): Promise<LogitScaleValues> {
    type Values = Readonly<Record<"audio" | "text", NativeTensor>>;
    const native = await call<Values>("logit_scales.forward", [this], options);
    const audio = Tensor.fromNative(native.audio);
    const text = Tensor.fromNative(native.text);
    const dispose = (): void => {
      audio.dispose();
      text.dispose();
    };
    return { audio, text, [Symbol.dispose]: dispose };
  }

  /** Bring both scales into 1..100, as training does after every step. */
  async clamp(): Promise<this> {
    await call("logit_scales.clamp", [this]);
    return this;
  }
}
