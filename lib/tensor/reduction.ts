import { ArithmeticOps } from "./arithmetic.js";
import type { Tensor } from "./tensor.js";
import { expected } from "../runtime/errors.js";
import { checkDim, checkDims, checkFloating, checkInteger, checkNumber } from "./validate.js";

/** Dimensions to reduce; absent means all of them. */
export type Dims = number | readonly number[];

export interface ReductionOptions {
  /** Keep reduced dimensions with size 1. Default false. */
  readonly keepDim?: boolean;
}

export interface VarianceOptions extends ReductionOptions {
  /** What is subtracted from the count: 1 for the unbiased estimate. Default 1. */
  readonly correction?: number;
}

export interface NormOptions extends ReductionOptions {
  /** Order of the vector norm; `Infinity` for the largest magnitude. Default 2. */
  readonly order?: number;
}

/** Reductions over some or all dimensions. */
export abstract class ReductionOps extends ArithmeticOps {
  /** Add up; bool and i64 give i64. */
  async sum(dims?: Dims, options: ReductionOptions = {}): Promise<Tensor> {
    return this.reduce("sum", dims, options);
  }

  async mean(dims?: Dims, options: ReductionOptions = {}): Promise<Tensor> {
    checkFloating("mean", this);
    return this.reduce("mean", dims, options);
  }

  /** Estimate the standard deviation. */
  async std(dims?: Dims, options: VarianceOptions = {}): Promise<Tensor> {
    return this.spread("std", dims, options);
  }

  /** Estimate the variance. */
  async var(dims?: Dims, options: VarianceOptions = {}): Promise<Tensor> {
    return this.spread("var", dims, options);
  }

  async min(dims?: Dims, options: ReductionOptions = {}): Promise<Tensor> {
    this.checkNotEmpty("min", dims);
    return this.reduce("min", dims, options);
  }

  async max(dims?: Dims, options: ReductionOptions = {}): Promise<Tensor> {
    this.checkNotEmpty("max", dims);
    return this.reduce("max", dims, options);
  }

  /** Say whether all elements are non-zero. */
  async all(dims?: Dims, options: ReductionOptions = {}): Promise<Tensor> {
    return this.reduce("all", dims, options);
  }

  /** Say whether some element is non-zero. */
  async any(dims?: Dims, options: ReductionOptions = {}): Promise<Tensor> {
    return this.reduce("any", dims, options);
  }

  /** Take the vector norm. */
  async norm(dims?: Dims, options: NormOptions = {}): Promise<Tensor> {
    checkFloating("norm", this);
    const { order = 2 } = options;
    return this.reduce("norm", dims, options, checkNumber("order of norm", order));
  }

  /** Find the index of the largest element, of one dimension or of all elements in order. */
  async argmax(dim?: number, options: ReductionOptions = {}): Promise<Tensor> {
    return this.arg("argmax", dim, options);
  }

  /** Find the index of the smallest element, of one dimension or of all elements in order. */
  async argmin(dim?: number, options: ReductionOptions = {}): Promise<Tensor> {
    return this.arg("argmin", dim, options);
  }

  /** Add up along a dimension, keeping every partial sum. */
  async cumsum(dim: number): Promise<Tensor> {
    return this.run("cumsum", checkDim("cumsum", dim, this.rank));
  }

  /** Find the `count` largest (or smallest) elements of a dimension, best first. */
  async topk(
    count: number,
    dim = -1,
    options: { readonly largest?: boolean } = {},
  ): Promise<{ values: Tensor; indices: Tensor }> {
    const axis = checkDim("topk", dim, this.rank);
    checkInteger("count of topk", count, 0, this.shape[axis] ?? 1);
    return pair(await this.runMany("topk", count, axis, options.largest ?? true));
  }

  /** Sort a dimension, stably. */
  async sort(
    dim = -1,
    options: { readonly descending?: boolean } = {},
  ): Promise<{ values: Tensor; indices: Tensor }> {
    const axis = checkDim("sort", dim, this.rank);
    return pair(await this.runMany("sort", axis, options.descending ?? false));
  }

  private async reduce(
    op: string,
    dims: Dims | undefined,
    options: ReductionOptions,
    ...rest: readonly number[]
  ): Promise<Tensor> {
    const axes = checkDims(op, dims, this.rank);
    const all = axes === undefined || axes.length === 0;
    return this.run(op, all ? null : axes, options.keepDim ?? false, ...rest);
  }

  private async spread(
    op: string,
    dims: Dims | undefined,
    options: VarianceOptions,
  ): Promise<Tensor> {
    checkFloating(op, this);
    const { correction = 1 } = options;
    return this.reduce(op, dims, options, checkInteger("correction", correction, 0));
  }

  private async arg(
    op: string,
    dim: number | undefined,
    options: ReductionOptions,
  ): Promise<Tensor> {
    this.checkNotEmpty(op, dim);
    const axis = dim === undefined ? null : checkDim(op, dim, this.rank);
    return this.run(op, axis, options.keepDim ?? false);
  }

  private checkNotEmpty(op: string, dims: Dims | undefined): void {
    const axes = checkDims(op, dims, this.rank);
    const sizes = axes === undefined ? this.shape : axes.map((axis) => this.shape[axis] ?? 1);
    if (sizes.includes(0)) throw expected("E_SHAPE", "at least one element", op, this.shape);
  }
}

function pair(results: readonly Tensor[]): { values: Tensor; indices: Tensor } {
  const [values, indices] = results;
  if (values && indices) return { values, indices };
  throw expected("E_INTERNAL", "two tensors", "result", results.length);
}
