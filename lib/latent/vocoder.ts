import type { VocoderConfig } from "../checkpoint/config/vocoder.js";
import { Module } from "../nn/module.js";
import { call } from "../runtime/native.js";
import type { NativeReference, NativeTensor } from "../runtime/native.js";
import { checkTensor } from "../tensor/base.js";
import { Tensor } from "../tensor/tensor.js";
import { checkFloating, checkInteger } from "../tensor/validate.js";
import type { LatentOptions } from "./autoencoder.js";

/**
 * The HiFi-GAN generator from log-mels to waveforms: transformers' `SpeechT5HifiGan`.
 *
 * Source: Kong et al., arXiv 2010.05646.
 */
export class Vocoder extends Module {
  readonly config: VocoderConfig;

  private constructor({ handle }: NativeReference, config: VocoderConfig) {
    super(handle);
    this.config = config;
  }

  /** Build the network without parameters. Errors: `E_CONFIG`. */
  static async create(config: VocoderConfig): Promise<Vocoder> {
    return new Vocoder(await call<NativeReference>("vocoder.create", [config]), config);
  }

  /** Hertz of the waveform. */
  get sampleRate(): number {
    return this.config.sampling_rate;
  }

  /** Samples that one mel frame makes. */
  get hopSamples(): number {
    return this.config.upsample_rates.reduce((product, rate) => product * rate, 1);
  }

  /**
   * Count the samples that `vocode` returns for so many mel frames: `hopSamples` each, exactly so
   * in circular time. Without it every stage whose kernel and rate differ by an odd number adds
   * one sample. Errors: `E_ARGUMENT`.
   */
  samplesOf(frames: number, { circular = false }: Pick<LatentOptions, "circular"> = {}): number {
    checkInteger("frames", frames, 1);
    if (circular) return frames * this.hopSamples;
    const { upsample_rates: rates, upsample_kernel_sizes: kernels } = this.config;
    return rates.reduce((samples, rate, stage) => {
      return samples * rate + (((kernels[stage] ?? rate) - rate) % 2);
    }, frames);
  }

  /**
   * Turn log-mels `[B, T, M]` or `[T, M]` into waveforms `[B, N]` or `[N]` in ±1 at `sampleRate`,
   * with N = `samplesOf(T)`. Errors: `E_SHAPE`, `E_DTYPE`.
   */
  async vocode(logMel: Tensor, { circular = false, signal }: LatentOptions = {}): Promise<Tensor> {
    checkTensor("logMel", logMel);
    checkFloating("vocode", logMel);
    const args = [this, logMel, { circular }];
    return Tensor.fromNative(await call<NativeTensor>("vocoder.forward", args, { signal }));
  }
}
