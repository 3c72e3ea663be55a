import { MusicLDMError, expected } from "../runtime/errors.js";
import { NativeObject, call } from "../runtime/native.js";
import type { DType, NativeTensor } from "../runtime/native.js";
import type { Tensor } from "./tensor.js";
import { checkBroadcast, shapeText, sizeOf } from "./validate.js";

type TensorClass = new (native: NativeTensor) => Tensor;

/** A number, or a tensor that broadcasts. Integral numbers promote as integers do. */
export type Operand = Tensor | number;

function shapesOf(args: readonly unknown[]): string[] {
  return args.flat().flatMap((value) => {
    return value instanceof TensorBase ? [`${value.dtype} ${shapeText(value.shape)}`] : [];
  });
}

/** Run a native tensor op; errors name the op and the shapes that it was given. */
export async function runOp<T>(op: string, args: readonly unknown[]): Promise<T> {
  try {
    return await call<T>(`tensor.${op}`, args);
  } catch (error) {
    if (!(error instanceof MusicLDMError)) throw error;
    const operands = shapesOf(args);
    const given = operands.length > 0 ? ` (${op} of ${operands.join(", ")})` : ` (${op})`;
    throw new MusicLDMError(error.code, error.message + given, { op, operands, cause: error });
  }
}

/** Plain fields and the call path of a tensor. */
export abstract class TensorBase extends NativeObject {
  readonly shape: readonly number[];
  readonly dtype: DType;
  /** `"cpu"`, `"cuda:0"`, … */
  readonly device: string;

  /** @internal */
  constructor(native: NativeTensor) {
    super(native.handle);
    this.shape = Object.freeze([...native.shape]);
    this.dtype = native.dtype;
    this.device = native.device;
  }

  /** Number of dimensions. */
  get rank(): number {
    return this.shape.length;
  }

  /** Number of elements. */
  get size(): number {
    return sizeOf(this.shape);
  }

  /** Describe dtype, shape and device. */
  override toString(): string {
    return `Tensor ${this.dtype} ${shapeText(this.shape)} on ${this.device}`;
  }

  /** @internal Run an op whose first argument is this tensor. */
  protected async run(op: string, ...args: readonly unknown[]): Promise<Tensor> {
    return this.wrap(await runOp<NativeTensor>(op, [this, ...args]));
  }

  /** @internal Run an op that returns several tensors. */
  protected async runMany(op: string, ...args: readonly unknown[]): Promise<Tensor[]> {
    const results = await runOp<readonly NativeTensor[]>(op, [this, ...args]);
    return results.map((native) => this.wrap(native));
  }

  /** @internal Run an op with a second operand that broadcasts. */
  protected async runWith(op: string, other: Operand): Promise<Tensor> {
    checkOperand(op, other);
    if (other instanceof TensorBase) checkBroadcast(op, this.shape, other.shape);
    return this.run(op, other);
  }

  private wrap(native: NativeTensor): Tensor {
    return new (this.constructor as TensorClass)(native);
  }
}

/** @throws MusicLDMError `E_ARGUMENT` */
export function checkTensor(name: string, value: unknown): void {
  if (!(value instanceof TensorBase)) throw expected("E_ARGUMENT", "a Tensor", name, value);
}

/** @throws MusicLDMError `E_ARGUMENT` */
export function checkTensors(name: string, values: unknown): void {
  const isList = Array.isArray(values) && values.every((value) => value instanceof TensorBase);
  if (!isList || values.length === 0) {
    throw expected("E_ARGUMENT", "a list of at least one Tensor", name, values);
  }
}

/** @throws MusicLDMError `E_ARGUMENT` */
export function checkOperand(name: string, value: unknown): void {
  if (typeof value === "number" || value instanceof TensorBase) return;
  throw expected("E_ARGUMENT", "a Tensor or a number", name, value);
}
