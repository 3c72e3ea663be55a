import { logMel, resample } from "../audio/index.js";
import type { CallOptions } from "../runtime/abort.js";
import { expected } from "../runtime/errors.js";
import { Tensor } from "../tensor/tensor.js";
import { checkFloating } from "../tensor/validate.js";
import { Inpainting, maskFrames, noised, skippedSteps } from "./edit.js";
import { requireFinite } from "./finite.js";
import { checkMemory, clipLength, leastSeconds } from "./frames.js";
import type { ClipLength } from "./frames.js";
import { openNetworks } from "./networks.js";
import type { Networks } from "./networks.js";
import { checkAudio, checkEdit, checkGenerate } from "./options.js";
import type { CheckedEdit, CheckedGenerate } from "./options.js";
import { Judge, rerankResult } from "./rerank.js";
import { run } from "./run.js";
import type { Start } from "./run.js";
import type {
  EditOptions,
  GenerateOptions,
  GenerationResult,
  LoadOptions,
  SourceAudio,
} from "./types.js";

/**
 * Text to music: CLAP text tower → UNet → VAE decoder → vocoder.
 *
 * Source: Chen et al., "MusicLDM", arXiv 2308.01546; semantics of diffusers' `MusicLDMPipeline` and
 * `AudioLDMPipeline`.
 */
export class MusicLDM implements Disposable {
  readonly #networks: Networks;
  readonly #judge: Judge;

  private constructor(networks: Networks) {
    this.#networks = networks;
    this.#judge = new Judge(networks);
  }

  /**
   * Open a model folder in diffusers' layout; float32 weights stay in the files and are mapped.
   *
   * Errors: `E_IO`, `E_CHECKPOINT`, `E_CONFIG`, `E_ARGUMENT`, `E_NO_CUDA`, `E_LIBTORCH`.
   */
  static async fromPretrained(
    folder: string,
    options: LoadOptions & CallOptions = {},
  ): Promise<MusicLDM> {
    return new MusicLDM(await openNetworks(folder, options));
  }

  /** Hertz of every waveform. */
  get sampleRate(): number {
    return this.#networks.vocoder.sampleRate;
  }

  /** Seconds of a clip where none are asked for. */
  get defaultSeconds(): number {
    const { unet } = this.#networks;
    return (unet.config.sample_size || 256) / this.#latentFramesPerSecond;
  }

  get device(): string {
    return this.#networks.device;
  }

  /** SHA-256 that identifies the weights, hexadecimal. */
  async weightsHash(): Promise<string> {
    return this.#networks.weightsHash;
  }

  /**
   * Generate clips of music from texts.
   *
   * Waveforms are `[samples]` in ±1 at `sampleRate`, exactly as many samples as `seconds` asks for.
   * Item i equals the item generated alone with `seeds[i]`. With `rerank` the items of each prompt
   * come best first.
   *
   * Errors: `E_ARGUMENT`, `E_SHAPE` and `E_DTYPE` (latents, embeddings), `E_ABORTED`,
   * `E_NONFINITE`, `E_OUT_OF_MEMORY`, `E_DISPOSED`.
   */
  async generate(options: GenerateOptions): Promise<GenerationResult> {
    const checked = checkGenerate(options);
    const { latents, loop } = checked;
    const length = this.#generatedLength(checked);
    const call = callOptions(checked);
    const clap = await this.#judge.choose(checked);
    const result = await run(
      this.#networks,
      checked,
      {
        length,
        loop,
        start: async ({ initialScale }, { items, noise }) => {
          if (!latents) {
            using unit = await noise.draw();
            return { state: await unit.mul(initialScale) };
          }
          using own = await latents.slice(0, items[0]!.index, items[0]!.index + items.length);
          using unit = await own.to({ dtype: "float32", device: this.device });
          return { state: await unit.mul(initialScale) };
        },
      },
      call,
    );
    return clap ? rerankResult(result, clap, checked, call) : result;
  }

  /**
   * Change a clip: as a whole (`strength`), inside spans of time (`mask`), or beyond its end
   * (`seconds`).
   *
   * Outside the mask the latents equal the encoded source bit for bit. Errors as of `generate`.
   */
  async edit(options: EditOptions): Promise<GenerationResult> {
    const checked = checkEdit(options);
    const call = callOptions(checked);
    const { samples, sampleRate } = checked.audio;
    const sourceSeconds = samples.length / sampleRate;
    const length = this.#sourceLength(checked.audio, checked.seconds);
    using source = await this.#encode(checked.audio, length, call);
    if (checked.strength !== undefined) return await this.#vary(checked, source, length, call);
    const perSecond = this.#latentFramesPerSecond;
    const mask = maskFrames(checked.mask ?? [], length, sourceSeconds, perSecond);
    using inpainting = await Inpainting.create(source, mask);
    return await run(
      this.#networks,
      checked,
      {
        length,
        loop: false,
        start: async ({ initialScale }, { noise }): Promise<Start> => {
          const unit = await noise.draw();
          return {
            state: await unit.mul(initialScale),
            adjust: async (state, level) => inpainting.blend(state, unit, level),
            dispose: () => unit.dispose(),
          };
        },
        finish: async (latents) => inpainting.finish(latents),
      },
      call,
    );
  }

  /**
   * Encode a mono clip into the scaled latents that `edit` keeps: `[1, C, T, F]`.
   *
   * @param options `seconds`: pad with silence or cut to this length first.
   * Errors: `E_ARGUMENT`, `E_NONFINITE`, `E_ABORTED`.
   */
  async encodeAudio(
    audio: SourceAudio,
    options: CallOptions & { readonly seconds?: number } = {},
  ): Promise<Tensor> {
    checkAudio(audio);
    return this.#encode(audio, this.#sourceLength(audio, options.seconds), options);
  }

  /** Free all weights; calls that run reject with `E_DISPOSED`. Idempotent. */
  dispose(): void {
    const { textEncoder, unet, vae, vocoder } = this.#networks;
    for (const part of [this.#judge, textEncoder, unet, vae, vocoder]) part.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  get #latentFramesPerSecond(): number {
    const { vae, vocoder } = this.#networks;
    return vocoder.sampleRate / vocoder.hopSamples / vae.downscale;
  }

  #length(seconds: number, loop: boolean): ClipLength {
    const { vae, vocoder } = this.#networks;
    const length = clipLength(seconds, loop, vae, vocoder);
    checkMemory(length, vae, vocoder);
    return length;
  }

  #sourceLength({ samples, sampleRate }: SourceAudio, seconds: number | undefined): ClipLength {
    const own = samples.length / sampleRate;
    if (seconds !== undefined || own >= leastSeconds) return this.#length(seconds ?? own, false);
    throw expected("E_ARGUMENT", `at least ${leastSeconds} s of samples`, "audio", `${own} s`);
  }

  #generatedLength({ latents, seconds, loop, prompt, promptEmbeds, count }: CheckedGenerate) {
    if (!latents) return this.#length(seconds ?? this.defaultSeconds, loop);
    checkFloating("latents", latents);
    const frames = latents.shape[2] ?? 0;
    const length = this.#length(seconds ?? frames / this.#latentFramesPerSecond, loop);
    const prompts = promptEmbeds?.shape[0] ?? (typeof prompt === "string" ? 1 : prompt?.length);
    const { unet, vae, vocoder } = this.#networks;
    const bins = vocoder.config.model_in_dim / vae.downscale;
    const shape = [(prompts ?? 1) * count, unet.config.in_channels, length.latentFrames, bins];
    if (String(latents.shape) === String(shape)) return length;
    throw expected("E_SHAPE", `[${shape.join(", ")}]`, "latents", latents.shape);
  }

  async #vary(
    checked: CheckedEdit,
    source: Tensor,
    length: ClipLength,
    call: CallOptions,
  ): Promise<GenerationResult> {
    const startStep = skippedSteps(checked.steps, checked.strength ?? 1);
    return run(
      this.#networks,
      checked,
      {
        length,
        loop: false,
        startStep,
        start: async ({ startLevel }, { noise }) => {
          using unit = await noise.draw();
          return { state: await noised(source, unit, startLevel) };
        },
      },
      call,
    );
  }

  /** Wave → log-mel → mean of the VAE's distribution, times the scaling factor. */
  async #encode(audio: SourceAudio, length: ClipLength, call: CallOptions): Promise<Tensor> {
    const { vae, vocoder, device } = this.#networks;
    using source = await Tensor.from(audio.samples, [1, audio.samples.length]);
    if (!(await source.allFinite())) {
      throw expected("E_NONFINITE", "finite samples", "audio", "NaN or infinity");
    }
    using resampled = await resample(source, audio.sampleRate, vocoder.sampleRate, call);
    const wanted = length.frames * vocoder.hopSamples;
    using padded = await resampled.pad([0, Math.max(0, wanted - (resampled.shape[1] ?? 0))]);
    const melBins = vocoder.config.model_in_dim;
    using mel = await logMel(padded, { ...call, sampleRate: vocoder.sampleRate, melBins });
    using frames = await mel.slice(1, 0, length.frames);
    using image = await frames.unsqueeze(1);
    using placed = await image.to({ device, dtype: this.#networks.dtype });
    using posterior = await vae.encode(placed, call);
    await requireFinite(posterior.mean, "encode");
    using scaled = await posterior.mean.mul(vae.scalingFactor);
    return await scaled.to("float32");
  }
}

function callOptions({ signal, onProgress }: CallOptions): CallOptions {
  return { ...(signal && { signal }), ...(onProgress && { onProgress }) };
}
