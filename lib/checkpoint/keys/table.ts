/**
 * What lies between the tensors of a row, read from the original to the published side:
 * - `same`: the same tensor;
 * - `split`: equal blocks of rows (back: joined);
 * - `matrix`: a convolution with kernel 1 as a matrix (back: with its kernel's axes);
 * - `fold`: magnitude and direction of a weight norm as one weight (back: taken apart).
 */
export type Change = "same" | "split" | "matrix" | "fold";

/** Names of one tensor (or of the few that belong together) in two layouts, as patterns. */
export interface KeyRow {
  readonly original: readonly string[];
  readonly published: readonly string[];
  readonly change: Change;
}

/**
 * A layout beside the published one (transformers', diffusers'). A name is looked up in `extra` and
 * `derived` first and then in the rows, from the first one on.
 */
export interface KeyLayout {
  readonly rows: readonly KeyRow[];
  /** Original tensors that the published layout has no place for. */
  readonly extra: readonly string[];
  /** Published tensors that follow from the configuration and that the original leaves out. */
  readonly derived: readonly string[];
}

/** The same tensor under two names. */
export function same(original: string, published = original): KeyRow {
  return { original: [original], published: [published], change: "same" };
}

/** One tensor, and the blocks of its rows. */
export function split(original: string, published: readonly string[]): KeyRow {
  return { original: [original], published, change: "split" };
}

/** A convolution with kernel 1, and a linear layer. */
export function matrix(original: string, published: string): KeyRow {
  return { original: [original], published: [published], change: "matrix" };
}

/** Magnitude and direction, and the weight. */
export function fold(original: readonly [string, string], published: string): KeyRow {
  return { original, published: [published], change: "fold" };
}
