import { expected } from "../runtime/errors.js";
import type { NativeTensor } from "../runtime/native.js";
import { call } from "../runtime/native.js";
import { checkTensor, checkTensors, runOp } from "./base.js";
import type { TensorData, TensorOptions, TensorSource } from "./create.js";
import { complete, flatten } from "./create.js";
import { FunctionalOps } from "./functional.js";
import type { SeedOptions } from "./generator.js";
import { Generator, randomSeed } from "./generator.js";
import { checkDim, checkInteger, checkNumber, checkShape, isDType } from "./validate.js";

/**
 * A handle to an array of numbers in native memory.
 *
 * Every op is asynchronous, leaves its operands as they are, and returns a tensor that the caller
 * disposes (`dispose()` or `using`); what is forgotten is freed by the garbage collector. Views
 * (`reshape`, `slice`, `expand`, …) share memory with their source.
 *
 * Errors of every op: `E_ARGUMENT`, `E_SHAPE`, `E_DTYPE`, `E_DISPOSED`, `E_OUT_OF_MEMORY`.
 */
export class Tensor extends FunctionalOps {
  /** @internal Wrap what the addon returned. */
  static fromNative(native: NativeTensor): Tensor {
    return new Tensor(native);
  }

  /**
   * Copy values in. Floats and nested numbers become float32, `Int32Array` and `BigInt64Array`
   * int64, `Uint8Array` bool (non-zero is true), unless `dtype` says otherwise.
   */
  static async from(
    source: TensorSource,
    shape?: readonly number[],
    options: TensorOptions = {},
  ): Promise<Tensor> {
    const flat = flatten(source, shape);
    return make("from", [flat.values, flat.shape, complete(options, flat.dtype)]);
  }

  static async zeros(shape: readonly number[], options: TensorOptions = {}): Promise<Tensor> {
    return Tensor.full(shape, 0, options);
  }

  static async ones(shape: readonly number[], options: TensorOptions = {}): Promise<Tensor> {
    return Tensor.full(shape, 1, options);
  }

  static async full(
    shape: readonly number[],
    value: number,
    options: TensorOptions = {},
  ): Promise<Tensor> {
    checkShape("full", shape);
    return make("full", [shape, checkNumber("value", value), complete(options)]);
  }

  /** Count from `start` up to, but without, `end`. Integral arguments give int64. */
  static async arange(
    start: number,
    end: number,
    step = 1,
    options: TensorOptions = {},
  ): Promise<Tensor> {
    const range = [start, end, step];
    for (const value of range) checkNumber("argument of arange", value);
    if (!(step !== 0 && (end - start) / step >= 0 && Number.isFinite((end - start) / step))) {
      throw expected("E_ARGUMENT", "a finite range and a step towards its end", "arange", range);
    }
    const dtype = range.every((value) => Number.isInteger(value)) ? "int64" : "float32";
    return make("arange", [...range, complete(options, dtype)]);
  }

  /** Space `count` values evenly from `start` to `end`, both included. */
  static async linspace(
    start: number,
    end: number,
    count: number,
    options: TensorOptions = {},
  ): Promise<Tensor> {
    const ends = [checkNumber("start", start), checkNumber("end", end)];
    return make("linspace", [...ends, checkInteger("count", count, 0), complete(options)]);
  }

  /** Make a matrix with ones on its diagonal. */
  static async eye(rows: number, columns = rows, options: TensorOptions = {}): Promise<Tensor> {
    const shape = [checkInteger("rows", rows, 0), checkInteger("columns", columns, 0)];
    return make("eye", [...shape, complete(options)]);
  }

  /** Draw from the uniform distribution over 0..1. */
  static async rand(
    shape: readonly number[],
    options: TensorOptions & SeedOptions = {},
  ): Promise<Tensor> {
    return draw("rand", shape, options);
  }

  /**
   * Draw from the unit normal distribution.
   *
   * Drawn on the CPU in float32 and then converted, so that a seed means the same noise on every
   * device and in every dtype.
   */
  static async randn(
    shape: readonly number[],
    options: TensorOptions & SeedOptions = {},
  ): Promise<Tensor> {
    return draw("randn", shape, options);
  }

  /** Draw integers from `low`..`high` − 1; int64 unless `dtype` says otherwise. */
  static async randint(
    low: number,
    high: number,
    shape: readonly number[],
    options: TensorOptions & SeedOptions = {},
  ): Promise<Tensor> {
    checkInteger("low", low);
    checkInteger("high", high, low + 1);
    return draw("randint", shape, { dtype: "int64", ...options }, low, high);
  }

  /** Join tensors along a dimension that exists. */
  static async cat(tensors: readonly Tensor[], dim = 0): Promise<Tensor> {
    checkTensors("cat", tensors);
    return make("cat", [tensors, checkDim("cat", dim, tensors[0]?.rank ?? 0)]);
  }

  /** Join tensors of one shape along a new dimension. */
  static async stack(tensors: readonly Tensor[], dim = 0): Promise<Tensor> {
    checkTensors("stack", tensors);
    return make("stack", [tensors, checkDim("stack", dim, (tensors[0]?.rank ?? 0) + 1)]);
  }

  /** Sum products by Einstein's convention, such as `"bnd,bmd->bnm"`. */
  static async einsum(equation: string, tensors: readonly Tensor[]): Promise<Tensor> {
    checkTensors("einsum", tensors);
    const isEquation = /^[a-zA-Z., ]*(->[a-zA-Z. ]*)?$/.test(String(equation));
    if (isEquation) return make("einsum", [equation, tensors]);
    throw expected("E_ARGUMENT", "an equation", "einsum", equation);
  }

  /** Convert to a dtype (`"float16"`), move to a device (`"cuda"`), or both, as options. */
  async to(target: TensorOptions | string): Promise<Tensor> {
    const options = typeof target === "string" ? named(target) : target;
    return this.run("to", complete({ device: this.device, ...options }, this.dtype));
  }

  /** Copy into row-major memory of its own. */
  async clone(): Promise<Tensor> {
    return this.run("clone");
  }

  /** Lay out in row-major memory; shares memory where it already is. */
  async contiguous(): Promise<Tensor> {
    return this.run("contiguous");
  }

  /**
   * Copy the values out, row-major: float32, float16 and bfloat16 as `Float32Array`, int64 as
   * `BigInt64Array`, bool as `Uint8Array`.
   */
  async data(): Promise<TensorData> {
    return runOp<TensorData>("data", [this]);
  }

  /** Copy the values out as float32, whatever the dtype. */
  async floats(): Promise<Float32Array> {
    return runOp<Float32Array>("floats", [this]);
  }

  /** Read the only element; bool gives 0 or 1. */
  async item(): Promise<number> {
    if (this.size !== 1) throw expected("E_SHAPE", "one element", "item", this.shape);
    return runOp<number>("item", [this]);
  }

  /** Say whether no element is NaN or infinite, in one pass. */
  async allFinite(): Promise<boolean> {
    return runOp<boolean>("all_finite", [this]);
  }

  /** Start (or stop) recording what is computed from this leaf, for `backward`; returns it. */
  async requiresGrad(required = true): Promise<this> {
    await runOp("set_requires_grad", [this, required]);
    return this;
  }

  /** Say whether a gradient would flow through this tensor. */
  async isRequiringGrad(): Promise<boolean> {
    return runOp<boolean>("is_requiring_grad", [this]);
  }

  /** Add the derivatives of this scalar, or of its product with `gradient`, to every leaf. */
  async backward(gradient?: Tensor): Promise<void> {
    if (gradient !== undefined) checkTensor("backward", gradient);
    else if (this.size !== 1) throw expected("E_SHAPE", "one element", "backward", this.shape);
    await runOp("backward", [this, gradient ?? null]);
  }

  /** Get the gradient that `backward` has gathered in this leaf, or null. */
  async grad(): Promise<Tensor | null> {
    const native = await runOp<NativeTensor | null>("grad", [this]);
    return native && Tensor.fromNative(native);
  }

  /** Forget the gathered gradient. */
  async zeroGrad(): Promise<void> {
    await runOp("zero_grad", [this]);
  }

  /** Share the values without the graph that made them. */
  async detach(): Promise<Tensor> {
    return this.run("detach");
  }
}

function named(target: string): TensorOptions {
  return isDType(target) ? { dtype: target } : { device: target };
}

async function make(op: string, args: readonly unknown[]): Promise<Tensor> {
  return Tensor.fromNative(await runOp<NativeTensor>(op, args));
}

async function draw(
  op: string,
  shape: readonly number[],
  options: TensorOptions & SeedOptions,
  ...range: readonly number[]
): Promise<Tensor> {
  checkShape(op, shape);
  const placed = complete(options);
  const { seed, generator } = options;
  if (seed !== undefined && generator !== undefined) {
    throw expected("E_ARGUMENT", "seed or generator", op, "both");
  }
  const own = generator ? undefined : new Generator(seed ?? randomSeed());
  try {
    const args = [shape, generator ?? own, placed, ...range];
    return Tensor.fromNative(await call<NativeTensor>(`random.${op}`, args));
  } finally {
    own?.dispose();
  }
}
