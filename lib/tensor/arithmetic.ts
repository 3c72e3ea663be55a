import type { Operand } from "./base.js";
import { checkOperand, checkTensor, runOp } from "./base.js";
import { expected } from "../runtime/errors.js";
import { ShapeOps } from "./shape.js";
import type { Tensor } from "./tensor.js";
import { checkBroadcast, checkNumber, shapeText } from "./validate.js";

export interface Tolerance {
  /** Default 1e-5. */
  readonly relative?: number;
  /** Default 1e-8. */
  readonly absolute?: number;
}

/**
 * Element-wise arithmetic and comparison with broadcasting, and matrix products. Result dtypes are
 * PyTorch's; an integral JavaScript number counts as an integer, any other as a float.
 */
export abstract class ArithmeticOps extends ShapeOps {
  async add(other: Operand): Promise<Tensor> {
    return this.runWith("add", other);
  }

  /** Subtract; bool is refused. */
  async sub(other: Operand): Promise<Tensor> {
    checkNoBool("sub", this, other);
    return this.runWith("sub", other);
  }

  async mul(other: Operand): Promise<Tensor> {
    return this.runWith("mul", other);
  }

  /** Divide; integers give float32. */
  async div(other: Operand): Promise<Tensor> {
    return this.runWith("div", other);
  }

  /** Raise to a power; integers take no negative integral exponent. */
  async pow(exponent: Operand): Promise<Tensor> {
    if (this.dtype === "int64" && Number.isInteger(exponent) && Number(exponent) < 0) {
      throw expected("E_ARGUMENT", "an exponent of at least 0", "pow of int64", exponent);
    }
    return this.runWith("pow", exponent);
  }

  async minimum(other: Operand): Promise<Tensor> {
    return this.runWith("minimum", other);
  }

  async maximum(other: Operand): Promise<Tensor> {
    return this.runWith("maximum", other);
  }

  async eq(other: Operand): Promise<Tensor> {
    return this.runWith("eq", other);
  }

  async ne(other: Operand): Promise<Tensor> {
    return this.runWith("ne", other);
  }

  async lt(other: Operand): Promise<Tensor> {
    return this.runWith("lt", other);
  }

  async le(other: Operand): Promise<Tensor> {
    return this.runWith("le", other);
  }

  async gt(other: Operand): Promise<Tensor> {
    return this.runWith("gt", other);
  }

  async ge(other: Operand): Promise<Tensor> {
    return this.runWith("ge", other);
  }

  async logicalAnd(other: Operand): Promise<Tensor> {
    return this.runWith("logical_and", other);
  }

  async logicalOr(other: Operand): Promise<Tensor> {
    return this.runWith("logical_or", other);
  }

  async logicalNot(): Promise<Tensor> {
    return this.run("logical_not");
  }

  /** Negate; bool is refused. */
  async neg(): Promise<Tensor> {
    checkNoBool("neg", this);
    return this.run("neg");
  }

  /** Take the magnitude; bool is refused. */
  async abs(): Promise<Tensor> {
    checkNoBool("abs", this);
    return this.run("abs");
  }

  async exp(): Promise<Tensor> {
    return this.run("exp");
  }

  /** Take the natural logarithm. */
  async log(): Promise<Tensor> {
    return this.run("log");
  }

  async sqrt(): Promise<Tensor> {
    return this.run("sqrt");
  }

  /** Take 1 / √x. */
  async rsqrt(): Promise<Tensor> {
    return this.run("rsqrt");
  }

  async sin(): Promise<Tensor> {
    return this.run("sin");
  }

  async cos(): Promise<Tensor> {
    return this.run("cos");
  }

  async tanh(): Promise<Tensor> {
    return this.run("tanh");
  }

  async sigmoid(): Promise<Tensor> {
    return this.run("sigmoid");
  }

  /** Round down; bool is refused. */
  async floor(): Promise<Tensor> {
    checkNoBool("floor", this);
    return this.run("floor");
  }

  /** Round to the nearest integer, halves to the even one; bool is refused. */
  async round(): Promise<Tensor> {
    checkNoBool("round", this);
    return this.run("round");
  }

  /** Limit the values; an absent bound does not limit. */
  async clamp(minimum?: number, maximum?: number): Promise<Tensor> {
    if (minimum === undefined && maximum === undefined) {
      throw expected("E_ARGUMENT", "a minimum or a maximum", "clamp", undefined);
    }
    for (const bound of [minimum, maximum]) {
      if (bound !== undefined) checkNumber("bound of clamp", bound);
    }
    return this.run("clamp", minimum ?? null, maximum ?? null);
  }

  /** Take `chosen` where this bool tensor is true, `other` elsewhere. */
  async where(chosen: Operand, other: Operand): Promise<Tensor> {
    for (const operand of [chosen, other]) {
      checkOperand("where", operand);
      if (typeof operand !== "number") checkBroadcast("where", this.shape, operand.shape);
    }
    return this.run("where", chosen, other);
  }

  /** Say for each element whether it is neither NaN nor infinite. */
  async isFinite(): Promise<Tensor> {
    return this.run("is_finite");
  }

  /** Say whether |a − b| ≤ absolute + relative · |b| for all elements. NaN is close to nothing. */
  async allClose(other: Tensor, tolerance: Tolerance = {}): Promise<boolean> {
    checkTensor("allClose", other);
    checkBroadcast("allClose", this.shape, other.shape);
    const { relative = 1e-5, absolute = 1e-8 } = tolerance;
    const limits = [checkNumber("relative", relative), checkNumber("absolute", absolute)];
    return runOp<boolean>("all_close", [this, other, ...limits]);
  }

  /** Multiply matrices: `[…, N, K] × […, K, M] → […, N, M]`; leading dimensions broadcast. */
  async matmul(other: Tensor): Promise<Tensor> {
    checkTensor("matmul", other);
    const inner = other.shape.at(other.rank > 1 ? -2 : -1);
    if (this.rank > 0 && other.rank > 0 && this.shape.at(-1) === inner) {
      checkBroadcast("matmul", this.shape.slice(0, -2), other.shape.slice(0, -2));
      return this.run("matmul", other);
    }
    const received = `${shapeText(this.shape)} and ${shapeText(other.shape)}`;
    throw expected("E_SHAPE", "shapes […, N, K] and […, K, M]", "matmul", received);
  }
}

/** @throws MusicLDMError `E_DTYPE` */
export function checkNoBool(op: string, ...operands: readonly unknown[]): void {
  const isBool = operands.some((operand) => {
    return operand instanceof ArithmeticOps && operand.dtype === "bool";
  });
  if (isBool) throw expected("E_DTYPE", "a number dtype", op, "bool");
}
