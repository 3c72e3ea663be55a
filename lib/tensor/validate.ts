import { expected } from "../runtime/errors.js";
import { requireDevice } from "../runtime/devices.js";
import type { DType } from "../runtime/native.js";

const floating: readonly DType[] = ["float32", "float16", "bfloat16"];
const dtypes: readonly DType[] = [...floating, "int64", "bool"];

interface Described {
  readonly shape: readonly number[];
  readonly dtype: DType;
}

/** Show a shape as `[2, 3]`. */
export function shapeText(shape: readonly number[]): string {
  return `[${shape.join(", ")}]`;
}

/** Count the elements of a shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

export function isDType(name: unknown): name is DType {
  return dtypes.some((known) => known === name);
}

/** @throws MusicLDMError `E_DTYPE` */
export function checkDType(name: unknown): DType {
  if (isDType(name)) return name;
  throw expected("E_DTYPE", dtypes.join(", "), "dtype", name);
}

/** @throws MusicLDMError `E_DTYPE` */
export function checkFloating(op: string, ...tensors: readonly Described[]): void {
  const other = tensors.find(({ dtype }) => !floating.includes(dtype));
  if (other) throw expected("E_DTYPE", "a floating dtype", op, other.dtype);
}

/**
 * Accept `"cpu"`, `"cuda"` and `"cuda:N"`; load the CUDA half of libtorch where it is asked for.
 *
 * @throws MusicLDMError `E_ARGUMENT`, `E_NO_CUDA`
 */
export function checkDevice(device: unknown): string {
  requireDevice(device);
  return device;
}

/** @throws MusicLDMError `E_ARGUMENT` */
export function checkInteger(
  name: string,
  value: unknown,
  minimum = Number.MIN_SAFE_INTEGER,
  maximum = Number.MAX_SAFE_INTEGER,
): number {
  if (Number.isSafeInteger(value)) {
    const integer = value as number;
    if (integer >= minimum && integer <= maximum) return integer;
  }
  const isBounded = minimum !== Number.MIN_SAFE_INTEGER || maximum !== Number.MAX_SAFE_INTEGER;
  const range = isBounded ? ` in ${minimum}..${maximum}` : "";
  throw expected("E_ARGUMENT", `an integer${range}`, name, value);
}

/** Accept one of some names. @throws MusicLDMError `E_ARGUMENT` */
export function checkName<T extends string>(
  names: readonly T[],
  name: string,
  value: unknown,
): asserts value is T {
  if (names.some((known) => known === value)) return;
  throw expected("E_ARGUMENT", `one of ${names.join(", ")}`, name, value);
}

/** Accept any number, also NaN and infinity. @throws MusicLDMError `E_ARGUMENT` */
export function checkNumber(name: string, value: unknown): number {
  if (typeof value === "number") return value;
  throw expected("E_ARGUMENT", "a number", name, value);
}

/** @throws MusicLDMError `E_ARGUMENT` */
export function checkIntegers(name: string, values: unknown): readonly number[] {
  if (Array.isArray(values) && values.every((value) => Number.isSafeInteger(value))) {
    return values as number[];
  }
  throw expected("E_ARGUMENT", "a list of integers", name, values);
}

/** Accept sizes of at least `minimum` (−1 where a size may be inferred). @throws `E_SHAPE` */
export function checkShape(op: string, shape: unknown, minimum = 0): readonly number[] {
  const isSize = (size: unknown): boolean =>
    Number.isSafeInteger(size) && (size as number) >= minimum;
  const isShape = Array.isArray(shape) && shape.every(isSize);
  if (isShape && Number.isSafeInteger(sizeOf(shape as number[]))) return shape as number[];
  throw expected("E_SHAPE", `a list of sizes of at least ${minimum}`, `shape of ${op}`, shape);
}

/** Turn a dimension that may count from the end into 0..rank − 1. @throws `E_ARGUMENT` */
export function checkDim(op: string, dim: unknown, rank: number): number {
  const range = Math.max(rank, 1);
  const index = checkInteger(`dimension of ${op}`, dim, -range, range - 1);
  return index < 0 ? index + range : index;
}

/** Dimensions as a list without duplicates; undefined stays undefined. @throws `E_ARGUMENT` */
export function checkDims(
  op: string,
  dims: number | readonly number[] | undefined,
  rank: number,
): readonly number[] | undefined {
  if (dims === undefined) return undefined;
  const list = typeof dims === "number" ? [dims] : checkIntegers(`dimensions of ${op}`, dims);
  const indices = list.map((dim) => checkDim(op, dim, rank));
  if (new Set(indices).size === indices.length) return indices;
  throw expected("E_ARGUMENT", "different dimensions", op, dims);
}

/** Check that two shapes broadcast against each other. @throws MusicLDMError `E_SHAPE` */
export function checkBroadcast(op: string, a: readonly number[], b: readonly number[]): void {
  for (let i = 1; i <= Math.min(a.length, b.length); i++) {
    const [left, right] = [a.at(-i), b.at(-i)];
    if (left === right || left === 1 || right === 1) continue;
    const received = `${shapeText(a)} and ${shapeText(b)}`;
    throw expected("E_SHAPE", "shapes that broadcast", op, received, { shapes: [a, b] });
  }
}
