import { expected } from "../runtime/errors.js";
import type { DType } from "../runtime/native.js";
import { checkDType, checkDevice, checkShape, shapeText, sizeOf } from "./validate.js";

/** What a tensor is made of. */
export interface TensorOptions {
  /** Default `"float32"`, or as the op says. */
  readonly dtype?: DType;
  /** Default `"cpu"`. */
  readonly device?: string;
}

/** Numbers, nested as deep as the tensor has dimensions. */
export type NestedNumbers = number | readonly NestedNumbers[];

/** What a tensor is made from; the type gives the default dtype. */
export type TensorSource =
  Float32Array | Float64Array | Int32Array | BigInt64Array | Uint8Array | NestedNumbers;

/** What `data()` returns: f32, f16 and bf16 as floats, i64 as bigints, bool as 0 and 1. */
export type TensorData = Float32Array | BigInt64Array | Uint8Array;

/** Fill in the defaults. @throws MusicLDMError `E_DTYPE`, `E_ARGUMENT`, `E_NO_CUDA` */
export function complete(
  options: TensorOptions,
  dtype: DType = "float32",
): { readonly dtype: DType; readonly device: string } {
  return {
    dtype: checkDType(options.dtype ?? dtype),
    device: checkDevice(options.device ?? "cpu"),
  };
}

/** Flat values with their shape and natural dtype. */
export interface FlatSource {
  readonly values: Exclude<TensorSource, NestedNumbers>;
  readonly shape: readonly number[];
  readonly dtype: DType;
}

/** Flatten what a tensor is made from. @throws MusicLDMError `E_ARGUMENT`, `E_SHAPE` */
export function flatten(source: TensorSource, shape?: readonly number[]): FlatSource {
  const flat = flatValues(source);
  if (shape === undefined) return flat;
  checkShape("from", shape);
  if (sizeOf(shape) === flat.values.length) return { ...flat, shape };
  const what = `${sizeOf(shape)} values for shape ${shapeText(shape)}`;
  throw expected("E_SHAPE", what, "Tensor.from", flat.values.length);
}

function flatValues(source: TensorSource): FlatSource {
  if (source instanceof Float32Array || source instanceof Float64Array) {
    return { values: source, shape: [source.length], dtype: "float32" };
  }
  if (source instanceof Int32Array || source instanceof BigInt64Array) {
    return { values: source, shape: [source.length], dtype: "int64" };
  }
  if (source instanceof Uint8Array) {
    return { values: source, shape: [source.length], dtype: "bool" };
  }
  const shape = nestedShape(source);
  const values = new Float64Array(sizeOf(shape));
  fill(source, shape, { values, next: 0 });
  return { values, shape, dtype: "float32" };
}

function nestedShape(source: NestedNumbers): number[] {
  if (typeof source === "number") return [];
  if (!Array.isArray(source)) {
    throw expected("E_ARGUMENT", "a typed array or numbers", "Tensor.from", source);
  }
  const list = source as readonly NestedNumbers[];
  const [first] = list;
  return first === undefined ? [list.length] : [list.length, ...nestedShape(first)];
}

interface Cursor {
  readonly values: Float64Array;
  next: number;
}

function fill(source: NestedNumbers, shape: readonly number[], cursor: Cursor): void {
  const [size, ...rest] = shape;
  if (size === undefined && typeof source === "number") {
    cursor.values[cursor.next++] = source;
  } else if (Array.isArray(source) && source.length === size) {
    for (const item of source as readonly NestedNumbers[]) fill(item, rest, cursor);
  } else {
    throw expected("E_SHAPE", "numbers nested evenly", "Tensor.from", source);
  }
}
