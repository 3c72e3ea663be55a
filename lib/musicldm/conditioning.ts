import type { TextEncoder } from "../clap/text-encoder.js";
import type { CallOptions } from "../runtime/abort.js";
import { expected } from "../runtime/errors.js";
import { throwIfAborted } from "../runtime/native.js";
import { Tensor } from "../tensor/tensor.js";
import { checkFloating } from "../tensor/validate.js";
import { requireFinite } from "./finite.js";
import type { SamplingOptions } from "./types.js";

/** The CLAP embeddings that steer a run; row p belongs to prompt p. */
export interface Conditioning extends Disposable {
  /** `[prompts, D]`, unit norm. */
  readonly positive: Tensor;
  /** `[prompts, D]`, unit norm; absent without guidance. */
  readonly negative: Tensor | undefined;
  /** As given; empty where embeddings came in their place. */
  readonly prompts: readonly string[];
  readonly negativePrompts: readonly string[];
  readonly warnings: readonly string[];
}

type TextOptions = Pick<
  SamplingOptions,
  "prompt" | "negativePrompt" | "promptEmbeds" | "negativePromptEmbeds"
>;

/**
 * Embed the prompts, and with guidance the negative prompts: the empty text where there is none.
 *
 * @throws E_ARGUMENT for absent, contradicting or uneven prompts; E_SHAPE and E_DTYPE for
 * embeddings that are no `[prompts, D]` of floats; E_NONFINITE
 */
export async function embedPrompts(
  encoder: TextEncoder,
  options: TextOptions,
  isGuided: boolean,
  call: CallOptions,
): Promise<Conditioning> {
  checkExclusive(options);
  const prompts = toList(options.prompt);
  const { promptEmbeds: embeds } = options;
  const count = embeds ? rowsOf(embeds, "promptEmbeds", encoder) : prompts.length;
  const negativePrompts = spreadNegatives(options, count);
  const warnings: string[] = [];
  throwIfAborted(call.signal);
  call.onProgress?.({ stage: "text", step: 0, totalSteps: 1 });
  const positive = embeds
    ? await embeds.to("float32")
    : await encode(encoder, prompts, "Prompt", warnings, call);
  let negative: Tensor | undefined;
  const dispose = (): void => {
    positive.dispose();
    negative?.dispose();
  };
  try {
    if (isGuided) {
      negative = options.negativePromptEmbeds
        ? await spreadRows(options.negativePromptEmbeds, count, encoder)
        : await encode(encoder, negativePrompts, "Negative prompt", warnings, call);
    }
    for (const embeddings of [positive, negative]) {
      if (embeddings) await requireFinite(embeddings, "text");
    }
    call.onProgress?.({ stage: "text", step: 1, totalSteps: 1 });
  } catch (error) {
    dispose();
    throw error;
  }
  return { positive, negative, prompts, negativePrompts, warnings, [Symbol.dispose]: dispose };
}

function checkExclusive(options: TextOptions): void {
  const { prompt, promptEmbeds, negativePrompt, negativePromptEmbeds } = options;
  if ((prompt === undefined) === (promptEmbeds === undefined)) {
    const received = prompt === undefined ? "neither" : "both";
    throw expected("E_ARGUMENT", "one of them", "prompt and promptEmbeds", received);
  }
  if (negativePrompt !== undefined && negativePromptEmbeds !== undefined) {
    throw expected("E_ARGUMENT", "one of them", "negativePrompt and negativePromptEmbeds", "both");
  }
}

function toList(texts: string | readonly string[] | undefined): readonly string[] {
  return typeof texts === "string" ? [texts] : (texts ?? []);
}

function spreadNegatives(options: TextOptions, count: number): readonly string[] {
  if (options.negativePromptEmbeds) return [];
  const texts = toList(options.negativePrompt ?? "");
  if (texts.length === 1) return Array.from({ length: count }, () => texts[0]!);
  if (texts.length === count) return texts;
  throw expected("E_ARGUMENT", `1 or ${count} texts`, "negativePrompt", texts);
}

function rowsOf(embeds: Tensor, name: string, encoder: TextEncoder): number {
  checkFloating(name, embeds);
  const [rows, width] = embeds.shape;
  if (embeds.rank === 2 && width === widthOf(encoder) && rows! > 0) return rows!;
  throw expected("E_SHAPE", `[prompts, ${widthOf(encoder)}]`, name, embeds.shape);
}

async function spreadRows(embeds: Tensor, count: number, encoder: TextEncoder): Promise<Tensor> {
  const rows = rowsOf(embeds, "negativePromptEmbeds", encoder);
  using floats = await embeds.to("float32");
  if (rows === count) return await floats.clone();
  if (rows === 1) return await floats.repeat([count, 1]);
  throw expected("E_SHAPE", `1 or ${count} rows`, "negativePromptEmbeds", embeds.shape);
}

function widthOf(encoder: TextEncoder): number {
  return encoder.tower.config.projection_dim;
}

/**
 * Encode each different text once, and each alone: a prompt's embedding is then the same to the
 * last bit whatever comes beside it.
 */
async function encode(
  encoder: TextEncoder,
  texts: readonly string[],
  name: string,
  warnings: string[],
  { signal }: CallOptions,
): Promise<Tensor> {
  const rows = new Map<string, Tensor>();
  try {
    for (const text of new Set(texts)) {
      const { embeddings, cut } = await encoder.encode([text], { signal });
      rows.set(text, embeddings);
      if (cut.length === 0) continue;
      const { maxTokens } = encoder.tokenizer;
      warnings.push(`${name} "${text.slice(0, 40)}…" was cut to ${maxTokens} tokens`);
    }
    return await Tensor.cat(texts.map((text) => rows.get(text)!));
  } finally {
    for (const row of rows.values()) row.dispose();
  }
}
