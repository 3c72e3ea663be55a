import type { CallOptions } from "../runtime/abort.js";
import { throwIfAborted } from "../runtime/native.js";
import { expected } from "../runtime/errors.js";
import { Tensor } from "../tensor/tensor.js";
import type { TextTower } from "./text-tower.js";
import type { TextTokenizer, TokenizedText } from "./tokenizer.js";

/** Texts of one length that run together. */
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
  /** `[rows × length]`, row after row. */
  readonly ids: readonly number[];
}

/** Turns texts into CLAP embeddings. Disposing it disposes its tower. */
export class TextEncoder implements Disposable {
  readonly tower: TextTower;
  readonly tokenizer: TextTokenizer;

  constructor(tower: TextTower, tokenizer: TextTokenizer) {
    this.tower = tower;
    this.tokenizer = tokenizer;
  }

  /**
   * Embed texts → `[texts, W]` of unit norm. Padding does not change an embedding, so that texts
   * run without any: those of one length together.
   *
   * Errors: `E_ARGUMENT`, `E_ABORTED`.
   */
  async encode(texts: readonly string[], options: CallOptions = {}): Promise<TextEncoding> {
    if (!Array.isArray(texts) || texts.length === 0) {
      throw expected("E_ARGUMENT", "at least one text", "texts", texts);
    }
    const rows = texts.map((text: string) => this.tokenizer.encode(text));
    const batches = batchByLength(rows);
    const parts: Tensor[] = [];
    try {
      for (const batch of batches) parts.push(await this.#run(batch, options));
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

  async #run({ indices, ids }: Batch, options: CallOptions): Promise<Tensor> {
    throwIfAborted(options.signal);
    const shape = [indices.length, ids.length / indices.length];
    using input = await Tensor.from(BigInt64Array.from(ids, BigInt), shape);
    using output = await this.tower.forward(input, null, options);
    return await output.textEmbeds.clone();
  }
}

function batchByLength(rows: readonly TokenizedText[]): readonly Batch[] {
  const byLength = new Map<number, number[]>();
  rows.forEach(({ ids }, index) => {
    const same = byLength.get(ids.length) ?? [];
    byLength.set(ids.length, same);
    same.push(index);
  });
  const batches: Batch[] = [];
  for (const same of byLength.values()) {
    for (let start = 0; start < same.length; start += maxRows) {
      const indices = same.slice(start, start + maxRows);
      batches.push({ indices, ids: indices.flatMap((index) => rows[index]?.ids ?? []) });
    }
  }
  return batches;
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
