import type { CallOptions } from "../runtime/abort.js";
import { packageVersion } from "../runtime/paths.js";
import { Tensor } from "../tensor/tensor.js";
import type { Conditioning } from "./conditioning.js";
import { decodeMel, vocodeMel } from "./decode.js";
import type { ClipLength } from "./frames.js";
import type { Item } from "./items.js";
import type { Networks } from "./networks.js";
import type { CheckedSampling } from "./options.js";
import type { GenerationResult } from "./types.js";

/** Below this magnitude, −80 dB, nobody hears anything. */
const silence = 1e-4;

/** Decodes latents and gathers what the caller asked for, item after item. */
export class Results {
  readonly #networks: Networks;
  readonly #options: CheckedSampling;
  readonly #clip: { readonly length: ClipLength; readonly loop: boolean };
  readonly #total: number;
  readonly #latents: Tensor[] = [];
  readonly #mels: Tensor[] = [];
  readonly #waveforms: Float32Array[] = [];
  readonly #warnings: string[] = [];
  #done = 0;

  constructor(
    networks: Networks,
    options: CheckedSampling,
    clip: { readonly length: ClipLength; readonly loop: boolean },
    total: number,
  ) {
    this.#networks = networks;
    this.#options = options;
    this.#clip = clip;
    this.#total = total;
  }

  /** Take the scaled latents `[items, C, T, F]` of a batch; they stay the caller's. */
  async add(items: readonly Item[], latents: Tensor, call: CallOptions): Promise<void> {
    const { output, intermediates } = this.#options;
    if (output === "latent" || intermediates) this.#latents.push(await latents.clone());
    if (output === "latent") return;
    for (const [row, item] of items.entries()) {
      using one = await latents.slice(0, row, row + 1);
      await this.#decode(item, one, call);
    }
  }

  async #decode(item: Item, latents: Tensor, call: CallOptions): Promise<void> {
    const { vae, vocoder } = this.#networks;
    const { output, intermediates } = this.#options;
    const options = { ...call, loop: this.#clip.loop, dtype: this.#networks.dtype };
    const report = (stage: string, step: number): void =>
      call.onProgress?.({ stage, step, totalSteps: this.#total });
    report("decode", this.#done);
    const mel = await decodeMel(vae, latents, options);
    const isKept = output === "mel" || intermediates;
    if (isKept) this.#mels.push(mel);
    try {
      report("decode", this.#done + 1);
      if (output === "waveform") {
        report("vocode", this.#done);
        const { samples, peak } = await vocodeMel(vocoder, mel, this.#clip.length.samples, options);
        this.#waveforms.push(samples);
        if (peak < silence) this.#warnings.push(`The item of seed ${item.seed} is silent`);
        report("vocode", this.#done + 1);
      }
    } finally {
      if (!isKept) mel.dispose();
    }
    this.#done += 1;
  }

  /** Put the result together; the tensors become the caller's. */
  async finish(items: readonly Item[], conditioning: Conditioning): Promise<GenerationResult> {
    const { scheduler, steps, sigmas, guidanceScale, eta, count } = this.#options;
    const { guidanceInterval, deepCache } = this.#options;
    const { length, loop } = this.#clip;
    const latents = this.#latents.length > 0 ? await Tensor.cat(this.#latents) : undefined;
    const mel = this.#mels.length > 0 ? await Tensor.cat(this.#mels) : undefined;
    this.dispose();
    return {
      waveforms: this.#waveforms,
      sampleRate: this.#networks.vocoder.sampleRate,
      seeds: items.map(({ seed }) => seed),
      ...(mel && { mel }),
      ...(latents && { latents }),
      warnings: [...conditioning.warnings, ...this.#warnings],
      settings: {
        prompts: conditioning.prompts,
        negativePrompts: conditioning.negativePrompts,
        count,
        seconds: length.seconds,
        steps,
        scheduler,
        ...(sigmas && { sigmas }),
        guidanceScale,
        ...(guidanceInterval && { guidanceInterval }),
        ...(deepCache && { deepCache }),
        eta,
        loop,
        weightsHash: this.#networks.weightsHash,
        version: packageVersion(),
      },
    };
  }

  dispose(): void {
    for (const tensor of [...this.#latents, ...this.#mels]) tensor.dispose();
  }
}
