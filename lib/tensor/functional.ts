import { expected } from "../runtime/errors.js";
import { checkNoBool } from "./arithmetic.js";
import { checkTensor } from "./base.js";
import { ReductionOps } from "./reduction.js";
import type { Tensor } from "./tensor.js";
import {
  checkDim,
  checkFloating,
  checkInteger,
  checkIntegers,
  checkNumber,
  checkShape,
} from "./validate.js";

/** One number for every spatial axis, or one for each. */
export type PerAxis = number | readonly number[];

export interface ConvOptions {
  /** `[out channels]`. */
  readonly bias?: Tensor;
  /** Default 1. */
  readonly stride?: PerAxis;
  /** Zeros on each side. Default 0. */
  readonly padding?: PerAxis;
  /** Default 1. */
  readonly dilation?: PerAxis;
  /** Default 1. */
  readonly groups?: number;
}

export interface ConvTransposeOptions extends ConvOptions {
  /** Samples added at one end of the result. Default 0. */
  readonly outputPadding?: PerAxis;
}

export interface NormalisationOptions {
  readonly weight?: Tensor;
  readonly bias?: Tensor;
  /** Added to the variance. Default 1e-5. */
  readonly eps?: number;
}

export interface AttentionOptions {
  /** Added to the scores (float), or true where a key may be attended to (bool). */
  readonly mask?: Tensor;
  /** Hide later keys. Default false. */
  readonly isCausal?: boolean;
  /** Factor on the scores. Default 1 / √width of the query. */
  readonly scale?: number;
}

export interface InterpolateOptions {
  /** Size of each spatial axis. */
  readonly size?: readonly number[];
  /** Factor on each spatial axis, in place of `size`; sizes are rounded down. */
  readonly scale?: PerAxis;
}

/** Convolutions, normalisations, activations and attention without state. */
export abstract class FunctionalOps extends ReductionOps {
  /** Convolve `[B, C, T]` with `[C', C / groups, K]` → `[B, C', T']`. */
  async conv1d(weight: Tensor, options: ConvOptions = {}): Promise<Tensor> {
    this.checkOperands("conv1d", weight, 3);
    return this.run("conv1d", weight, convOptions("conv1d", 1, options));
  }

  /** Convolve `[B, C, H, W]` with `[C', C / groups, K, L]` → `[B, C', H', W']`. */
  async conv2d(weight: Tensor, options: ConvOptions = {}): Promise<Tensor> {
    this.checkOperands("conv2d", weight, 4);
    return this.run("conv2d", weight, convOptions("conv2d", 2, options));
  }

  /** Convolve, transposed, `[B, C, T]` with `[C, C' / groups, K]` → `[B, C', T']`. */
  async convTranspose1d(weight: Tensor, options: ConvTransposeOptions = {}): Promise<Tensor> {
    const op = "convTranspose1d";
    this.checkOperands(op, weight, 3);
    const { outputPadding = 0, ...rest } = options;
    const extra = { outputPadding: perAxis(`outputPadding of ${op}`, outputPadding, 1, 0) };
    return this.run("conv_transpose1d", weight, { ...convOptions(op, 1, rest), ...extra });
  }

  /** Normalise over the trailing dimensions of `shape`. */
  async layerNorm(shape: readonly number[], options: NormalisationOptions = {}): Promise<Tensor> {
    checkFloating("layerNorm", this);
    checkShape("layerNorm", shape, 1);
    return this.run("layer_norm", shape, normalisation(options));
  }

  /** Normalise `[B, C, …]` over groups of channels. */
  async groupNorm(groups: number, options: NormalisationOptions = {}): Promise<Tensor> {
    checkFloating("groupNorm", this);
    checkInteger("groups of groupNorm", groups, 1);
    return this.run("group_norm", groups, normalisation(options));
  }

  /** Take max(x, 0); bool is refused. */
  async relu(): Promise<Tensor> {
    checkNoBool("relu", this);
    return this.run("relu");
  }

  /** Take x · sigmoid(x). */
  async silu(): Promise<Tensor> {
    checkFloating("silu", this);
    return this.run("silu");
  }

  /** Take x · Φ(x), exactly or by the tanh approximation. */
  async gelu(approximate: "none" | "tanh" = "none"): Promise<Tensor> {
    checkFloating("gelu", this);
    const isKnown = ["none", "tanh"].includes(approximate);
    if (!isKnown) throw expected("E_ARGUMENT", '"none" or "tanh"', "approximate", approximate);
    return this.run("gelu", approximate);
  }

  async leakyRelu(negativeSlope = 0.01): Promise<Tensor> {
    checkFloating("leakyRelu", this);
    return this.run("leaky_relu", checkNumber("negativeSlope", negativeSlope));
  }

  async softmax(dim = -1): Promise<Tensor> {
    checkFloating("softmax", this);
    return this.run("softmax", checkDim("softmax", dim, this.rank));
  }

  async logSoftmax(dim = -1): Promise<Tensor> {
    checkFloating("logSoftmax", this);
    return this.run("log_softmax", checkDim("logSoftmax", dim, this.rank));
  }

  /** Resize `[B, C, T]` or `[B, C, H, W]` by the nearest neighbour. */
  async interpolate(options: InterpolateOptions): Promise<Tensor> {
    const spatial = this.shape.slice(2);
    if (spatial.length !== 1 && spatial.length !== 2) {
      throw expected("E_SHAPE", "[B, C, T] or [B, C, H, W]", "interpolate", this.shape);
    }
    const { size, scale } = options;
    if ((size === undefined) === (scale === undefined)) {
      throw expected("E_ARGUMENT", "either size or scale", "interpolate", options);
    }
    const factors = typeof scale === "number" ? spatial.map(() => scale) : (scale ?? []);
    const target = size ?? spatial.map((length, i) => Math.floor(length * (factors[i] ?? NaN)));
    checkShape("interpolate", target, 1);
    if (target.length === spatial.length) return this.run("interpolate", target);
    throw expected("E_ARGUMENT", `${spatial.length} sizes`, "interpolate", target);
  }

  /** Attend: queries `[…, N, D]`, keys `[…, M, D]`, values `[…, M, E]` → `[…, N, E]`. */
  async scaledDotProductAttention(
    key: Tensor,
    value: Tensor,
    options: AttentionOptions = {},
  ): Promise<Tensor> {
    const op = "scaledDotProductAttention";
    for (const tensor of [key, value]) checkTensor(op, tensor);
    checkFloating(op, this, key, value);
    const {
      mask = null,
      isCausal = false,
      scale = 1 / Math.sqrt(this.shape.at(-1) ?? 1),
    } = options;
    if (mask && isCausal) throw expected("E_ARGUMENT", "mask or isCausal", op, "both");
    return this.run("attention", key, value, {
      mask,
      isCausal,
      scale: checkNumber("scale", scale),
    });
  }

  private checkOperands(op: string, weight: Tensor, rank: number): void {
    checkTensor(`weight of ${op}`, weight);
    checkFloating(op, this, weight);
    if (this.rank !== rank) throw expected("E_SHAPE", `rank ${rank}`, op, this.shape);
    if (weight.rank !== rank) {
      throw expected("E_SHAPE", `rank ${rank}`, `weight of ${op}`, weight.shape);
    }
  }
}

function perAxis(name: string, value: PerAxis, axes: number, minimum: number): readonly number[] {
  const list = typeof value === "number" ? new Array<number>(axes).fill(value) : value;
  checkIntegers(name, list);
  for (const entry of list) checkInteger(name, entry, minimum);
  if (list.length === axes) return list;
  throw expected("E_ARGUMENT", `${axes} integers`, name, value);
}

function convOptions(op: string, axes: number, options: ConvOptions): Record<string, unknown> {
  const { bias = null, stride = 1, padding = 0, dilation = 1, groups = 1 } = options;
  if (bias) checkTensor(`bias of ${op}`, bias);
  return {
    bias,
    stride: perAxis(`stride of ${op}`, stride, axes, 1),
    padding: perAxis(`padding of ${op}`, padding, axes, 0),
    dilation: perAxis(`dilation of ${op}`, dilation, axes, 1),
    groups: checkInteger(`groups of ${op}`, groups, 1),
  };
}

function normalisation(options: NormalisationOptions): Record<string, unknown> {
  const { weight = null, bias = null, eps = 1e-5 } = options;
  for (const tensor of [weight, bias]) if (tensor) checkTensor("weight or bias", tensor);
  return { weight, bias, eps: checkNumber("eps", eps) };
}
