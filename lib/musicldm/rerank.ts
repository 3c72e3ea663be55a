import { clapOf } from "../checkpoint/clap-folder.js";
import { Clap } from "../clap/clap.js";
import { openParts } from "../clap/open.js";
import type { CallOptions } from "../runtime/abort.js";
import { expected } from "../runtime/errors.js";
import { Tensor } from "../tensor/tensor.js";
import type { Networks } from "./networks.js";
import type { CheckedGenerate } from "./options.js";
import type { GenerationResult } from "./types.js";

/** Scores the candidates of a model: its own CLAP, opened when first asked for, or another one. */
export class Judge implements Disposable {
  readonly #networks: Networks;
  #opening: Promise<Clap> | undefined;
  #own: Clap | undefined;
  #isDisposed = false;

  constructor(networks: Networks) {
    this.#networks = networks;
  }

  /**
   * Find who judges, before anything is generated.
   *
   * Errors: `E_ARGUMENT` for options that leave nothing to judge, and for a folder without an audio
   * tower; those of opening one.
   */
  async choose(options: CheckedGenerate): Promise<Clap | undefined> {
    const { rerank, output, promptEmbeds } = options;
    if (rerank === undefined || rerank === false) return undefined;
    if (output !== "waveform") {
      throw expected("E_ARGUMENT", 'output "waveform"', "rerank", `output ${output}`);
    }
    if (rerank !== true) {
      if (promptEmbeds === undefined) return rerank.clap;
      const what = "prompt (embeddings mean nothing to another CLAP)";
      throw expected("E_ARGUMENT", what, "rerank: { clap }", "promptEmbeds");
    }
    const { folder } = this.#networks;
    if (folder.extractor === null || folder.textEncoder.config.audio === null) {
      const what = `{ clap: await Clap.fromPretrained(…) }, as ${folder.path} has no audio tower,`;
      throw expected("E_ARGUMENT", what, "rerank", rerank);
    }
    return this.#openOwn();
  }

  dispose(): void {
    this.#isDisposed = true;
    this.#own?.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  async #openOwn(): Promise<Clap> {
    this.#opening ??= this.#open().catch((error: unknown) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  async #open(): Promise<Clap> {
    const { folder, textEncoder, device, dtype, packing } = this.#networks;
    const place = { device, dtype, packing };
    const own = new Clap(await openParts(clapOf(folder), place, { text: textEncoder }));
    this.#own = own;
    if (this.#isDisposed) own.dispose();
    return own;
  }
}

/**
 * Order the candidates of each prompt by how well they fit it, best first, with their scores.
 *
 * Tensors of the result that are not handed on are disposed. Errors: `E_ABORTED`, `E_NONFINITE`.
 */
export async function rerankResult(
  result: GenerationResult,
  clap: Clap,
  { promptEmbeds }: Pick<CheckedGenerate, "promptEmbeds">,
  { signal, onProgress }: CallOptions,
): Promise<GenerationResult> {
  try {
    const report = (step: number): void => onProgress?.({ stage: "rerank", step, totalSteps: 1 });
    report(0);
    const { prompts, count } = result.settings;
    const texts = promptEmbeds
      ? await rowsOfEmbeds(promptEmbeds)
      : await clap.embedText(prompts, { signal });
    const { sampleRate, waveforms } = result;
    const clips = waveforms.map((samples) => ({ channels: [samples], sampleRate }));
    const heard = await clap.embedAudio(clips, { signal });
    const cosines = await clap.similarity(texts, heard);
    const scores = heard.map((_, item) => cosines[Math.floor(item / count)]![item]!);
    const ordered = await reorder(result, scores);
    report(1);
    return ordered;
  } finally {
    result.mel?.dispose();
    result.latents?.dispose();
  }
}

async function rowsOfEmbeds(embeds: Tensor): Promise<readonly Float32Array[]> {
  const values = await embeds.floats();
  const [count = 0, width = 0] = embeds.shape;
  return Array.from({ length: count }, (_, i) => values.slice(i * width, (i + 1) * width));
}

async function reorder(
  result: GenerationResult,
  scores: readonly number[],
): Promise<GenerationResult> {
  const { count } = result.settings;
  const promptOf = (item: number) => Math.floor(item / count);
  const order = scores
    .map((_, item) => item)
    .sort((a, b) => promptOf(a) - promptOf(b) || scores[b]! - scores[a]! || a - b);
  const pick = <T>(list: readonly T[]): readonly T[] => order.map((item) => list[item]!);
  const { mel, latents, waveforms, seeds, ...rest } = result;
  return {
    ...rest,
    waveforms: pick(waveforms),
    seeds: pick(seeds),
    scores: pick(scores),
    ...(mel && { mel: await pickRows(mel, order) }),
    ...(latents && { latents: await pickRows(latents, order) }),
  };
}

async function pickRows(tensor: Tensor, order: readonly number[]): Promise<Tensor> {
  const source = BigInt64Array.from(order, BigInt);
  using indices = await Tensor.from(source, [order.length], { device: tensor.device });
  return await tensor.indexSelect(0, indices);
}
