import type { UNetConfig } from "../checkpoint/config/unet.js";
import { Module } from "../nn/module.js";
import type { CallOptions } from "../runtime/abort.js";
import { call } from "../runtime/native.js";
import type { NativeReference, NativeTensor } from "../runtime/native.js";
import { checkTensor } from "../tensor/base.js";
import { Tensor } from "../tensor/tensor.js";
import { checkFloating, checkNumber } from "../tensor/validate.js";

export interface UNetOptions extends CallOptions {
  /** Make time a circle, so that the end joins the start. Default false. */
  readonly circular?: boolean;
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
    for (const [name, tensor] of Object.entries({ latents, classLabels })) {
      checkTensor(name, tensor);
      checkFloating(name, tensor);
    }
    if (typeof timestep === "number") checkNumber("timestep", timestep);
    else checkTensor("timestep", timestep);
    const args = [this, latents, timestep, classLabels, { circular }];
    return Tensor.fromNative(await call<NativeTensor>("unet.forward", args, { signal }));
  }
}
