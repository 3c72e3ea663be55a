import type { AutoencoderConfig } from "../checkpoint/config/autoencoder.js";
import { Module } from "../nn/module.js";
import type { CallOptions } from "../runtime/abort.js";
import { expected } from "../runtime/errors.js";
import { call } from "../runtime/native.js";
import type { NativeReference, NativeTensor } from "../runtime/native.js";
import { checkTensor } from "../tensor/base.js";
import type { SeedOptions } from "../tensor/generator.js";
import { Tensor } from "../tensor/tensor.js";
import { checkFloating } from "../tensor/validate.js";

export interface LatentOptions extends CallOptions {
  /** Make time a circle, so that the end joins the start. Default false. */
  readonly circular?: boolean;
}

/** Where the noise of a sample comes from: a tensor shaped like the mean, or a seed. */
export interface PosteriorSampleOptions extends SeedOptions {
  readonly noise?: Tensor;
}

/**
 * A diagonal Gaussian over latents `[B, L, T / s, F / s]`. Disposing it disposes `mean` and
 * `logvar`.
 */
export class Posterior implements Disposable {
  readonly mean: Tensor;
  /** Logarithm of the variance, in −30..20. */
  readonly logvar: Tensor;
  readonly #moments: Tensor;

  /** @internal */
  private constructor(moments: Tensor, mean: Tensor, logvar: Tensor) {
    this.#moments = moments;
    this.mean = mean;
    this.logvar = logvar;
  }

  /** @internal Wrap `[B, 2L, T / s, F / s]`: mean, then log-variance. */
  static async fromMoments(moments: Tensor): Promise<Posterior> {
    const halves = await call<{ mean: NativeTensor; logvar: NativeTensor }>("vae.split_moments", [
      moments,
    ]);
    const [mean, logvar] = [Tensor.fromNative(halves.mean), Tensor.fromNative(halves.logvar)];
    return new Posterior(moments, mean, logvar);
  }

  /** Draw mean + deviation · noise. Errors: `E_SHAPE`, `E_ARGUMENT`. */
  async sample(options: PosteriorSampleOptions = {}): Promise<Tensor> {
    const { noise, ...source } = options;
    if (noise === undefined) {
      const { shape, dtype, device } = this.mean;
      using drawn = await Tensor.randn(shape, { dtype, device, ...source });
      return await this.sample({ noise: drawn });
    }
    checkTensor("noise", noise);
    if (source.seed !== undefined || source.generator !== undefined) {
      throw expected("E_ARGUMENT", "noise, seed or generator", "sample", "two of them");
    }
    return Tensor.fromNative(await call<NativeTensor>("vae.sample", [this.#moments, noise]));
  }

  /** Get the most likely latents: a tensor of its own with the values of `mean`. */
  async mode(): Promise<Tensor> {
    return this.mean.clone();
  }

  dispose(): void {
    for (const tensor of [this.#moments, this.mean, this.logvar]) tensor.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/**
 * The variational autoencoder between log-mels and latents: diffusers' `AutoencoderKL`.
 *
 * s = `downscale` mel frames and bins make one latent frame and bin. Latents are the network's own;
 * diffusion works on them times `scalingFactor`. Source: Rombach et al., arXiv 2112.10752.
 */
export class Autoencoder extends Module {
  readonly config: AutoencoderConfig;

  private constructor({ handle }: NativeReference, config: AutoencoderConfig) {
    super(handle);
    this.config = config;
  }

  /** Build the network without parameters. Errors: `E_CONFIG`. */
  static async create(config: AutoencoderConfig): Promise<Autoencoder> {
    return new Autoencoder(await call<NativeReference>("vae.create", [config]), config);
  }

  /** Latents times this have about unit variance. */
  get scalingFactor(): number {
    return this.config.scaling_factor;
  }

  /** Mel frames per latent frame, and mel bins per latent bin. */
  get downscale(): number {
    return 2 ** (this.config.block_out_channels.length - 1);
  }

  /**
   * Encode log-mels `[B, C, T, F]` → a distribution over latents `[B, L, T / s, F / s]`.
   *
   * Frames and bins beyond a multiple of s are dropped, as in diffusers; circular time needs a
   * multiple. Errors: `E_SHAPE`, `E_DTYPE`.
   */
  async encode(mel: Tensor, options: LatentOptions = {}): Promise<Posterior> {
    return Posterior.fromMoments(await this.#run("vae.encode", mel, options));
  }

  /** Decode latents `[B, L, T, F]` → log-mels `[B, C, T · s, F · s]`. Errors as of `encode`. */
  async decode(latents: Tensor, options: LatentOptions = {}): Promise<Tensor> {
    return this.#run("vae.decode", latents, options);
  }

  async #run(op: string, input: Tensor, { circular = false, signal }: LatentOptions) {
    checkTensor(op, input);
    checkFloating(op, input);
    return Tensor.fromNative(await call<NativeTensor>(op, [this, input, { circular }], { signal }));
  }
}
