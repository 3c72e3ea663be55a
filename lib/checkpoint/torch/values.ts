import type { TorchDType } from "./dtypes.js";

/**
 * What a pickle can hold here: numbers, text, bytes and containers of them. A `dict` is a Map, a
 * tuple a frozen array, an integer beyond 2^53 a bigint; values may be shared and may form cycles.
 */
export type TorchValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly TorchValue[]
  | TorchDict
  | ReadonlySet<TorchValue>
  | TorchTensor
  | TorchStorage
  | TorchName
  | TorchObject;

export type TorchDict = ReadonlyMap<TorchValue, TorchValue>;

/** The name of a Python class or function in a file. Nothing stands behind it. */
export class TorchName {
  constructor(readonly name: string) {}
}

/** A Python object as its file describes it: a class name and plain data, no behaviour. */
export class TorchObject {
  state: TorchValue = null;
  /** Pairs of an object that is a `dict` as well. */
  entries: Map<TorchValue, TorchValue> | null = null;
  /** Items of an object that is a `list` as well. */
  items: TorchValue[] | null = null;

  constructor(
    readonly className: string,
    readonly args: readonly TorchValue[] = [],
  ) {}
}

/** A run of elements that tensors share, as a pickle refers to it. */
export class TorchStorage {
  constructor(
    readonly key: string,
    readonly dtype: TorchDType,
    /** Of the whole storage in the file. */
    readonly elements: number,
    /** Where this view of it begins, and how long it is. */
    readonly begin: number,
    readonly length: number,
  ) {}
}

/** A tensor as a pickle describes it; `Checkpoint.tensor` loads it by name. */
export class TorchTensor {
  /** Where the file holds it: dictionary keys and positions, joined with dots. */
  path = "";

  constructor(
    readonly storage: TorchStorage,
    readonly dtype: TorchDType,
    readonly shape: readonly number[],
    /** In elements. */
    readonly strides: readonly number[],
    /** In elements, from the beginning of the storage. */
    readonly offset: number,
  ) {}
}

/** Say what a value is in a few words, for messages: a file must not fill them. */
export function describe(value: TorchValue): null | boolean | number | bigint | string {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (value instanceof Map) return `a dict of ${value.size}`;
  if (value instanceof Set) return `a set of ${value.size}`;
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (value instanceof TorchName) return value.name;
  if (value instanceof TorchObject) return value.className;
  return value instanceof TorchTensor ? "a tensor" : "a storage";
}
