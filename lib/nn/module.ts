import type { Checkpoint } from "../checkpoint/checkpoint.js";
import { keptPrefix } from "../checkpoint/keys/plan.js";
import type { CallOptions } from "../runtime/abort.js";
import { NativeObject, call } from "../runtime/native.js";
import type { DType, NativeTensor } from "../runtime/native.js";
import { Tensor } from "../tensor/tensor.js";
import { checkDType, checkDevice, checkInteger } from "../tensor/validate.js";

/** Parameters and buffers, or their gradients, by published name. */
export type NamedTensors = Readonly<Record<string, Tensor>>;

export interface ModuleLoadOptions extends CallOptions {
  /** Only names that start so count; it is cut off. Default: all names. */
  readonly prefix?: string;
  /** Names that start so may be without a parameter; `original.` always may. Default: none. */
  readonly allowedExtra?: readonly string[];
  /** Convert to this; default: the dtypes of the source. */
  readonly dtype?: DType;
}

/** Where a module computes, and in what precision. */
export interface ModulePlace {
  readonly device?: string;
  readonly dtype?: DType;
}

/** @internal */
export const packings = ["none", "compact", "fast"] as const;

/**
 * What inference may keep beside the weights: nothing (`"none"`: libtorch's operators), packed
 * copies about as large as they are (`"compact"`), or whatever is fastest (`"fast"`), which can be
 * several times as large.
 */
export type Packing = (typeof packings)[number];

/**
 * A network with named parameters. A new one has none of their values: `load` or `initialise` it
 * first. Gradients flow through every forward; parameters take part after `requiresGrad()`.
 *
 * Errors of every forward: `E_ARGUMENT` (no parameters yet), `E_SHAPE`, `E_DISPOSED`, `E_ABORTED`,
 * `E_OUT_OF_MEMORY`.
 */
export abstract class Module extends NativeObject {
  /**
   * Fill every parameter and buffer, without copying where dtype and device already fit.
   *
   * Errors: `E_CHECKPOINT` lists all missing and unexpected names, wrong shapes and dtypes.
   */
  async load(source: Checkpoint | NamedTensors, options: ModuleLoadOptions = {}): Promise<void> {
    const { prefix = null, dtype, signal } = options;
    const allowedExtra = [keptPrefix, ...(options.allowedExtra ?? [])];
    const target = dtype === undefined ? null : checkDType(dtype);
    await call("module.load", [this, source, { prefix, allowedExtra, dtype: target }], { signal });
  }

  /**
   * Let forwards without gradients use packed weights and our own kernels; on the CPU in float32,
   * elsewhere it changes nothing. Weights are packed when a shape first needs them.
   *
   * Errors: `E_ARGUMENT`.
   */
  async pack(packing: Packing): Promise<this> {
    await call("module.pack", [this, packing]);
    return this;
  }

  /** Draw every parameter as the reference implementation does. @param seed 0..2^53 − 1 */
  async initialise(seed: number): Promise<void> {
    await call("module.initialise", [this, checkInteger("seed", seed, 0)]);
  }

  /** Switch dropout on (or off). A new module has it off. */
  async train(training = true): Promise<this> {
    await call("module.train", [this, training]);
    return this;
  }

  /** Switch dropout off. */
  async eval(): Promise<this> {
    return this.train(false);
  }

  /**
   * Start the random numbers of dropout, so that equal calls after equal seeds drop the same, on
   * every device. Without it they differ from run to run.
   *
   * @param seed 0..2^53 − 1, of which the low 32 bits count
   * Errors: `E_ARGUMENT`.
   */
  async seed(seed: number): Promise<this> {
    await call("module.seed_dropout", [this, checkInteger("seed", seed, 0)]);
    return this;
  }

  /** Start (or stop) recording gradients of the parameters. */
  async requiresGrad(required = true): Promise<this> {
    await call("module.requires_grad", [this, required]);
    return this;
  }

  /**
   * Move or convert all parameters; their gradients are dropped.
   *
   * Errors: `E_NO_CUDA`, `E_DTYPE`, `E_ARGUMENT`.
   */
  async to({ device, dtype }: ModulePlace): Promise<this> {
    const place = {
      device: device === undefined ? null : checkDevice(device),
      dtype: dtype === undefined ? null : checkDType(dtype),
    };
    await call("module.to", [this, place]);
    return this;
  }

  /** Get parameters and buffers as tensors that share the module's memory. */
  async state(): Promise<NamedTensors> {
    return wrap(await call<Record<string, NativeTensor>>("module.state", [this]));
  }

  /** Get the gradients that `backward` has gathered. */
  async grads(): Promise<NamedTensors> {
    return wrap(await call<Record<string, NativeTensor>>("module.grads", [this]));
  }
}

function wrap(natives: Readonly<Record<string, NativeTensor>>): NamedTensors {
  const entries = Object.entries(natives);
  return Object.fromEntries(entries.map(([name, native]) => [name, Tensor.fromNative(native)]));
}
