import type { CallOptions } from "../runtime/abort.js";
import { throwIfAborted } from "../runtime/native.js";
import { expected } from "../runtime/errors.js";
import { Tensor } from "../tensor/tensor.js";
import type { TextTower } from "./text-tower.js";
import type { TextTokenizer, TokenizedText } from "./tokenizer.js";

/** Texts that run together at most. */
const maxRows = 64;
/** Below this norm an embedding is not scaled up to length 1 (PyTorch's `normalize`). */
const minNorm = 1e-12;

/** Embeddings in the order of the texts. Disposing it disposes the tensor. */
export interface TextEncoding extends Disposable {
  /** `[texts, W]`, unit norm. */
  readonly embeddings: Tensor;
  /** Indices of the texts that were longer than the tokenizer's limit, and were cut. */
  readonly cut: readonly number[];
}

interface Batch {
  /** Which texts, by index. */
  readonly indices: readonly number[];
  /** Tokens of a row, padding included. */
  readonly length: number;
}

/** Turns texts into CLAP embeddings. Disposing it disposes its tower. */
export class TextEncoder implements Disposable {
  readonly tower: TextTower;
  readonly tokenizer: TextTokenizer;

  /** Errors: `E_ARGUMENT` (a tokenizer for another kind of network). */
  constructor(tower: TextTower, tokenizer: TextTokenizer) {
    const { model_type: type } = tower.config;
    if (tokenizer.modelType !== type) {
      throw expected("E_ARGUMENT", `a tokenizer for ${type}`, "tokenizer", tokenizer.modelType);
    }
    this.tower = tower;
    this.tokenizer = tokenizer;
  }

  /**
   * Embed texts → `[texts, W]` of unit norm. Where padding does not change an embedding, texts run
   * without any: those of one length together. For BART every text is padded to 77 tokens, as
   * laion_clap does it, because its embedding is the mean of all positions.
   *
   * Errors: `E_ARGUMENT`, `E_ABORTED`.
   */
  async encode(texts: readonly string[], options: CallOptions = {}): Promise<TextEncoding> {
    if (!Array.isArray(texts) || texts.length === 0) {
      throw expected("E_ARGUMENT", "at least one text", "texts", texts);
    }
    const rows = texts.map((text: string) => this.tokenizer.encode(text));
    const batches = batchByLength(rows, this.tokenizer.padTo);
    const parts: Tensor[] = [];
    try {
      for (const batch of batches) parts.push(await this.#run(rows, batch, options));
      const order = batches.flatMap(({ indices }) => indices);
      const embeddings = await gather(parts, order);
      const cut = rows.flatMap(({ isCut }, index) => (isCut ? [index] : []));
      return { embeddings, cut, [Symbol.dispose]: () => embeddings.dispose() };
    } finally {
      for (const part of parts) part.dispose();
    }
  }

  dispose(): void {
    this.tower.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  async #run(
    rows: readonly TokenizedText[],
    { indices, length }: Batch,
    options: CallOptions,
  ): Promise<Tensor> {
    throwIfAborted(options.signal);
    const { config } = this.tower;
    const padding = "pad_token_id" in config ? config.pad_token_id : 0;
    const ids = new BigInt64Array(indices.length * length).fill(BigInt(padding));
    const isToken = new BigInt64Array(ids.length);
    indices.forEach((index, row) => {
      const tokens = rows[index]?.ids ?? [];
      ids.set(tokens.map(BigInt), row * length);
      isToken.fill(1n, row * length, row * length + tokens.length);
    });
    const shape = [indices.length, length];
    using input = await Tensor.from(ids, shape);
    using mask = isToken.includes(0n) ? await Tensor.from(isToken, shape) : null;
    using output = await this.tower.forward(input, mask, options);
    return await output.textEmbeds.clone();
  }
}

function batchByLength(rows: readonly TokenizedText[], padTo: number | null): readonly Batch[] {
  const byLength = new Map<number, number[]>();
  rows.forEach(({ ids }, index) => {
    const length = padTo ?? ids.length;
    const same = byLength.get(length) ?? [];
    byLength.set(length, same);
    same.push(index);
  });
  return [...byLength].flatMap(([length, same]) => {
    const starts = Array.from({ length: Math.ceil(same.length / maxRows) }, (_, i) => i * maxRows);
    return starts.map((start) => ({ indices: same.slice(start, start + maxRows), length }));
  });
}

/** Join parts whose rows belong at `order`, at unit norm. */
async function gather(parts: readonly Tensor[], order: readonly number[]): Promise<Tensor> {
  const positions = new BigInt64Array(order.length);
  order.forEach((index, row) => (positions[index] = BigInt(row)));
  using joined = await Tensor.cat(parts);
  using rows = await Tensor.from(positions, [order.length], { device: joined.device });
  using ordered = await joined.indexSelect(0, rows);
  using norm = await ordered.norm([1], { keepDim: true });
  using divisor = await norm.clamp(minNorm);
  return await ordered.div(divisor);
}
