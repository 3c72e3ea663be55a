import { expected } from "../runtime/errors.js";
import { TensorBase, checkTensor } from "./base.js";
import type { Tensor } from "./tensor.js";
import {
  checkDim,
  checkDims,
  checkInteger,
  checkIntegers,
  checkNumber,
  checkShape,
  shapeText,
} from "./validate.js";

export interface PadOptions {
  /** Default `"constant"`. */
  readonly mode?: "constant" | "reflect" | "replicate" | "circular";
  /** What `"constant"` fills with. Default 0. */
  readonly value?: number;
}

const padModes = ["constant", "reflect", "replicate", "circular"] as const;

/** Ops that change the shape or choose elements. Dimensions may count from the end. */
export abstract class ShapeOps extends TensorBase {
  /** Give the elements another shape; one size may be −1. Shares memory where it can. */
  async reshape(shape: readonly number[]): Promise<Tensor> {
    checkShape("reshape", shape, -1);
    return this.run("reshape", shape);
  }

  /** Join the dimensions `start`..`end` into one. */
  async flatten(start = 0, end = -1): Promise<Tensor> {
    const first = checkDim("flatten", start, this.rank);
    const last = checkDim("flatten", end, this.rank);
    if (first > last) throw expected("E_ARGUMENT", "start ≤ end", "flatten", [start, end]);
    const joined = this.shape.slice(first, last + 1).reduce((product, size) => product * size, 1);
    return this.reshape([...this.shape.slice(0, first), joined, ...this.shape.slice(last + 1)]);
  }

  /** Reorder the dimensions. */
  async permute(dims: readonly number[]): Promise<Tensor> {
    const order = checkDims("permute", dims, this.rank);
    if (order?.length === this.rank) return this.run("permute", order);
    throw expected("E_ARGUMENT", `each of ${this.rank} dimensions`, "permute", dims);
  }

  /** Swap two dimensions. */
  async transpose(first: number, second: number): Promise<Tensor> {
    const dims = [first, second].map((dim) => checkDim("transpose", dim, this.rank));
    return this.run("transpose", ...dims);
  }

  /** Drop a dimension of size 1, or all of them. */
  async squeeze(dim?: number): Promise<Tensor> {
    const index = dim === undefined ? null : checkDim("squeeze", dim, this.rank);
    return this.run("squeeze", index);
  }

  /** Insert a dimension of size 1. */
  async unsqueeze(dim: number): Promise<Tensor> {
    return this.run("unsqueeze", checkDim("unsqueeze", dim, this.rank + 1));
  }

  /** Repeat dimensions of size 1 without copying; −1 keeps a size. */
  async expand(shape: readonly number[]): Promise<Tensor> {
    checkShape("expand", shape, -1);
    return this.run("expand", shape);
  }

  /** Tile the tensor, `counts` times along each dimension. */
  async repeat(counts: readonly number[]): Promise<Tensor> {
    checkShape("repeat", counts);
    return this.run("repeat", counts);
  }

  /** Reverse the order along the dimensions. */
  async flip(dims: number | readonly number[]): Promise<Tensor> {
    return this.run("flip", checkDims("flip", dims, this.rank));
  }

  /** Rotate: what leaves at the end of a dimension enters at its start. */
  async roll(
    shifts: number | readonly number[],
    dims: number | readonly number[],
  ): Promise<Tensor> {
    const amounts = typeof shifts === "number" ? [shifts] : checkIntegers("shifts", shifts);
    const axes = checkDims("roll", dims, this.rank) ?? [];
    if (amounts.length === axes.length) return this.run("roll", amounts, axes);
    throw expected("E_ARGUMENT", `${axes.length} shifts`, "roll", shifts);
  }

  /** Pad by `[before, after]` pairs, the last dimension first, as PyTorch does. */
  async pad(amounts: readonly number[], options: PadOptions = {}): Promise<Tensor> {
    const { mode = "constant", value = 0 } = options;
    checkIntegers("amounts of pad", amounts);
    if (!padModes.includes(mode)) throw expected("E_ARGUMENT", padModes.join(", "), "mode", mode);
    if (amounts.length % 2 !== 0 || amounts.length > 2 * this.rank) {
      throw expected("E_ARGUMENT", `pairs for at most ${this.rank} dimensions`, "pad", amounts);
    }
    return this.run("pad", amounts, mode, checkNumber("value", value));
  }

  /** Take `start`..`end` (exclusive, clipped; negative counts from the end) of one dimension. */
  async slice(dim: number, start: number, end?: number, step = 1): Promise<Tensor> {
    const axis = checkDim("slice", dim, this.rank);
    checkInteger("start of slice", start);
    if (end !== undefined) checkInteger("end of slice", end);
    checkInteger("step of slice", step, 1);
    return this.run("slice", axis, start, end ?? null, step);
  }

  /** Take one index of a dimension, which disappears. */
  async select(dim: number, index: number): Promise<Tensor> {
    const axis = checkDim("select", dim, this.rank);
    const size = this.shape[axis] ?? 0;
    checkInteger(`index of select in ${shapeText(this.shape)}`, index, -size, size - 1);
    return this.run("select", axis, index);
  }

  /** Index with one i64 or bool tensor per leading dimension; null keeps a whole dimension. */
  async index(indices: readonly (Tensor | null)[]): Promise<Tensor> {
    for (const index of indices) if (index !== null) checkTensor("index", index);
    if (indices.length <= this.rank && indices.some((index) => index !== null)) {
      return this.run("index", indices);
    }
    throw expected("E_ARGUMENT", `1..${this.rank} indices`, "index", indices.length);
  }

  /** Choose entries of a dimension by an i64 vector. */
  async indexSelect(dim: number, indices: Tensor): Promise<Tensor> {
    checkTensor("indexSelect", indices);
    return this.run("index_select", checkDim("indexSelect", dim, this.rank), indices);
  }

  /** Choose along a dimension, another index for each position. */
  async gather(dim: number, indices: Tensor): Promise<Tensor> {
    checkTensor("gather", indices);
    return this.run("gather", checkDim("gather", dim, this.rank), indices);
  }

  /** Cut a dimension into pieces of one size (the last may be smaller) or of the given sizes. */
  async split(sizes: number | readonly number[], dim = 0): Promise<Tensor[]> {
    const axis = checkDim("split", dim, this.rank);
    if (typeof sizes !== "number") {
      return this.runMany("split", checkShape("split", sizes), axis);
    }
    const total = this.shape[axis] ?? 1;
    const piece = checkInteger("sizes of split", sizes, 1);
    const count = Math.max(1, Math.ceil(total / piece));
    const pieces = Array.from({ length: count }, (_, i) => Math.min(piece, total - i * piece));
    return this.runMany("split", pieces, axis);
  }

  /** Cut a dimension into at most `count` pieces of equal size but the last. */
  async chunk(count: number, dim = 0): Promise<Tensor[]> {
    const axis = checkDim("chunk", dim, this.rank);
    checkInteger("count of chunk", count, 1);
    return this.split(Math.max(1, Math.ceil((this.shape[axis] ?? 1) / count)), axis);
  }
}
