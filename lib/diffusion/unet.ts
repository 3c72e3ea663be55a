import type { UNetConfig } from "../checkpoint/config/unet.js";
import { Module } from "../nn/module.js";
import type { CallOptions } from "../runtime/abort.js";
import { call } from "../runtime/native.js";
import type { NativeReference, NativeTensor } from "../runtime/native.js";
import { checkTensor } from "../tensor/base.js";
import { Tensor } from "../tensor/tensor.js";
import { checkFloating, checkInteger, checkNumber } from "../tensor/validate.js";

export interface UNetOptions extends CallOptions {
  /** Make time a circle, so that the end joins the start. Default false. */
  readonly circular?: boolean;
}

/** What a shallow pass resumes with. Disposing it disposes the tensor. */
export class DeepFeature implements Disposable {
  /** The skip whose layer on the way up takes the tensor; 0 is the output of `conv_in`. */
  readonly branch: number;
  /** `[B, C', T', F']`, at the resolution of that layer. */
  readonly tensor: Tensor;

  constructor(branch: number, tensor: Tensor) {
    this.branch = branch;
    this.tensor = tensor;
  }

  /** Copy the rows `start` to `end` − 1 of the batch. */
  async rows(start: number, end: number): Promise<DeepFeature> {
    using view = await this.tensor.slice(0, start, end);
    return new DeepFeature(this.branch, await view.clone());
  }

  dispose(): void {
    this.tensor.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** A prediction `[B, C, T, F]` and the feature that was kept beside it. */
export interface KeptPrediction {
  readonly prediction: Tensor;
  readonly feature: DeepFeature;
}

/**
 * The denoising network of MusicLDM and AudioLDM: diffusers' `UNet2DConditionModel`, conditioned by
 * the timestep and a CLAP embedding. Source: Chen et al., arXiv 2308.01546.
 */
export class UNet extends Module {
  readonly config: UNetConfig;

  private constructor({ handle }: NativeReference, config: UNetConfig) {
    super(handle);
    this.config = config;
  }

  /** Build the network without parameters. Errors: `E_CONFIG`. */
  static async create(config: UNetConfig): Promise<UNet> {
    return new UNet(await call<NativeReference>("unet.create", [config]), config);
  }

  /** How many skips cross from the way down to the way up: branches are 0..skips − 1. */
  get skips(): number {
    return this.config.layers_per_block.reduce((sum, layers) => sum + layers + 1, 0);
  }

  /**
   * Predict from noisy latents `[B, C, T, F]`, for any T and F of at least 1.
   *
   * @param timestep One for all items, which may be fractional, or a tensor `[1]` or `[B]`.
   * @param classLabels Unit-norm CLAP embeddings `[B, W]`.
   * @returns `[B, C, T, F]`. Errors: `E_SHAPE`, `E_DTYPE`.
   */
  async forward(
    latents: Tensor,
    timestep: number | Tensor,
    classLabels: Tensor,
    { circular = false, signal }: UNetOptions = {},
  ): Promise<Tensor> {
    checkInputs({ latents, classLabels });
    if (typeof timestep === "number") checkNumber("timestep", timestep);
    else checkTensor("timestep", timestep);
    const args = [this, latents, timestep, classLabels, { circular }];
    return Tensor.fromNative(await call<NativeTensor>("unet.forward", args, { signal }));
  }

  /**
   * Compute what conditions the residual blocks at each of N timesteps → `[N, B, E]`: once for a
   * whole run. One row of it, `[B, E]`, goes into `predict`.
   *
   * @param classLabels Unit-norm CLAP embeddings `[B, W]`. Errors: `E_SHAPE`, `E_ARGUMENT`.
   */
  async condition(timesteps: readonly number[], classLabels: Tensor): Promise<Tensor> {
    checkInputs({ classLabels });
    for (const timestep of timesteps) checkNumber("timesteps", timestep);
    const args = [this, timesteps, classLabels];
    return Tensor.fromNative(await call<NativeTensor>("unet.condition", args));
  }

  /** As `forward`, with a row `[B, E]` of what `condition` gave. Errors: `E_SHAPE`, `E_DTYPE`. */
  async predict(
    latents: Tensor,
    conditioning: Tensor,
    { circular = false, signal }: UNetOptions = {},
  ): Promise<Tensor> {
    checkInputs({ latents, conditioning });
    const args = [this, latents, conditioning, { circular }];
    return Tensor.fromNative(await call<NativeTensor>("unet.predict", args, { signal }));
  }

  /**
   * As `predict`, and keep the feature that comes from below into the layer of the way up that
   * takes skip `branch`, for `predictShallow` at a timestep nearby.
   *
   * Source: Ma et al., "DeepCache", arXiv 2312.00858. Errors: `E_ARGUMENT`, `E_SHAPE`, `E_DTYPE`.
   */
  async predictKeeping(
    latents: Tensor,
    conditioning: Tensor,
    branch: number,
    { circular = false, signal }: UNetOptions = {},
  ): Promise<KeptPrediction> {
    checkInputs({ latents, conditioning });
    checkInteger("branch", branch, 0);
    const args = [this, latents, conditioning, { circular }, branch];
    const result = await call<Record<"prediction" | "feature", NativeTensor>>(
      "unet.predict_keeping",
      args,
      { signal },
    );
    const feature = new DeepFeature(branch, Tensor.fromNative(result.feature));
    return { prediction: Tensor.fromNative(result.prediction), feature };
  }

  /**
   * As `predict`, with everything deeper than the feature left out: the way down ends at its skip,
   * and the way up resumes there with the feature.
   *
   * Errors: `E_ARGUMENT`, `E_SHAPE`, `E_DTYPE`.
   */
  async predictShallow(
    latents: Tensor,
    conditioning: Tensor,
    { branch, tensor }: DeepFeature,
    { circular = false, signal }: UNetOptions = {},
  ): Promise<Tensor> {
    checkInputs({ latents, conditioning, feature: tensor });
    const args = [this, latents, conditioning, { circular }, branch, tensor];
    return Tensor.fromNative(await call<NativeTensor>("unet.predict_shallow", args, { signal }));
  }
}

function checkInputs(tensors: Readonly<Record<string, Tensor>>): void {
  for (const [name, tensor] of Object.entries(tensors)) {
    checkTensor(name, tensor);
    checkFloating(name, tensor);
  }
}

/** The passes of a UNet that a sampling loop needs. */
export type UNetPasses = Pick<UNet, "condition" | "predict" | "predictKeeping" | "predictShallow">;
