import type { Build } from "./build.js";
import type { ReadContext } from "./context.js";
import { TorchName, TorchObject } from "./values.js";
import type { TorchValue } from "./values.js";

type Reader = (view: DataView) => number | bigint | boolean;

/** Readers of the kinds of numbers that a dtype string of numpy can name. */
const readers: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ["f8", (view) => view.getFloat64(0, true)],
  ["f4", (view) => view.getFloat32(0, true)],
  ["f2", (view) => half(view.getUint16(0, true))],
  ["i8", (view) => whole(view.getBigInt64(0, true))],
  ["i4", (view) => view.getInt32(0, true)],
  ["i2", (view) => view.getInt16(0, true)],
  ["i1", (view) => view.getInt8(0)],
  ["u8", (view) => whole(view.getBigUint64(0, true))],
  ["u4", (view) => view.getUint32(0, true)],
  ["u2", (view) => view.getUint16(0, true)],
  ["u1", (view) => view.getUint8(0)],
  ["b1", (view) => view.getUint8(0) !== 0],
]);

/**
 * What optimizer states and random-number states of numpy are made of: a scalar becomes its number,
 * an array stays a record of its dtype, shape and bytes. numpy 1 says `core`, numpy 2 `_core`.
 */
export const numpyGlobals: readonly (readonly [string, Build])[] = [
  ["numpy.dtype", (args) => new TorchObject("numpy.dtype", args)],
  ...["core", "_core"].flatMap((core) => [
    [`numpy.${core}.multiarray.scalar`, scalar] as const,
    [`numpy.${core}.multiarray._reconstruct`, array] as const,
    [`numpy.${core}.numeric._frombuffer`, arrayOfBytes] as const,
  ]),
];

function scalar([dtype = null, bytes = null]: readonly TorchValue[], context: ReadContext) {
  const kind = littleEndian(dtype);
  const read = readers.get(kind);
  if (!read || !(bytes instanceof Uint8Array))
    return new TorchObject("numpy.scalar", [dtype, bytes]);
  if (bytes.length !== Number(kind.slice(1))) {
    throw context.fault(`the bytes of a numpy ${kind}`, "a scalar", bytes);
  }
  return read(new DataView(bytes.buffer, bytes.byteOffset, bytes.length));
}

function array([type = null]: readonly TorchValue[], context: ReadContext) {
  if (type instanceof TorchName && type.name === "numpy.ndarray") {
    return new TorchObject("numpy.ndarray");
  }
  throw context.fault("numpy.ndarray", "an array of numpy", type);
}

/** How protocol 5 writes arrays: bytes, dtype, shape, order. */
function arrayOfBytes(args: readonly TorchValue[]) {
  return new TorchObject("numpy.ndarray", args);
}

/** The kind and size of a dtype record, such as `f8`; empty where it is not little-endian. */
function littleEndian(dtype: TorchValue): string {
  if (!(dtype instanceof TorchObject) || dtype.className !== "numpy.dtype") return "";
  const [kind] = dtype.args;
  const order = Array.isArray(dtype.state) ? (dtype.state as readonly TorchValue[])[1] : "|";
  return typeof kind === "string" && (order === "<" || order === "|" || order === "=") ? kind : "";
}

function whole(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** IEEE 754 binary16. */
function half(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : Number.NaN;
  if (exponent === 0) return (sign * fraction) / 2 ** 24;
  return sign * 2 ** (exponent - 25) * (1024 + fraction);
}
