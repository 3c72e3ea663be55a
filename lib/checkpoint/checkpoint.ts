import { requireList, requireOptions } from "../runtime/arguments.js";
import { expected } from "../runtime/errors.js";
import { call, NativeObject } from "../runtime/native.js";
import type { CallOptions } from "../runtime/abort.js";
import type { DType, NativeReference, NativeTensor } from "../runtime/native.js";
import { Tensor } from "../tensor/tensor.js";
import { readTorchLayout } from "./torch/layout.js";
import type { TorchLayout, TorchNames } from "./torch/layout.js";
import type { TorchDict, TorchValue } from "./torch/values.js";

/** A tensor of a checkpoint file, as the file describes it. */
export interface CheckpointEntry {
  readonly name: string;
  /** The name that safetensors has for it: `"F32"`, `"BF16"`, `"I64"`, … */
  readonly dtype: string;
  readonly shape: readonly number[];
  /** In elements; null for row-major order, which is all that safetensors has. */
  readonly strides: readonly number[] | null;
  /** Of the elements. */
  readonly bytes: number;
  /** Where the first element lies in its file. */
  readonly offset: number;
  /** Index into `paths`. */
  readonly file: number;
}

/** What the addon returns for files. */
interface OpenedFiles {
  readonly checkpoint: NativeReference;
  readonly entries: readonly CheckpointEntry[];
  readonly metadata: readonly (readonly [string, string])[];
}

export interface OpenOptions extends CallOptions {
  /** Which tensors of a torch file count, and by which names; `"plain"` by default. */
  readonly names?: TorchNames | undefined;
}

/** What tensors of the format's dtypes become. */
const tensorDtypes: Readonly<Record<string, DType>> = {
  F32: "float32",
  F16: "float16",
  BF16: "bfloat16",
  I64: "int64",
  I32: "int64",
  I16: "int64",
  I8: "int64",
  U8: "int64",
  BOOL: "bool",
};

/**
 * Safetensors files, or files of `torch.save`, mapped into memory and opened as one set of named
 * tensors. Opening reads headers and pickles only; every field is checked against the file. The
 * files must keep their length while open (replacing one by rename is fine).
 */
export class Checkpoint extends NativeObject {
  readonly paths: readonly string[];
  readonly entries: readonly CheckpointEntry[];
  /**
   * The text metadata of all files; the first file that has a key supplies its value. Of a torch
   * file: the text and the numbers beside its state dict.
   */
  readonly metadata: Readonly<Record<string, string>>;
  readonly #byName: ReadonlyMap<string, CheckpointEntry>;
  readonly #extras: TorchDict;

  private constructor(
    opened: OpenedFiles,
    paths: readonly string[],
    layouts: readonly (TorchLayout | null)[],
  ) {
    super(opened.checkpoint.handle);
    this.paths = paths;
    this.entries = opened.entries;
    this.#extras = merged(layouts);
    this.metadata = Object.fromEntries([...texts(this.#extras), ...opened.metadata]);
    this.#byName = new Map(opened.entries.map((entry) => [entry.name, entry]));
  }

  /**
   * Open one file, or the shards of one model. The content decides what a file is.
   *
   * Errors: `E_IO` (unreadable), `E_CHECKPOINT` (malformed, a torch file that holds more than
   * tensors and plain data, or a tensor in two files).
   */
  static async open(
    paths: string | readonly string[],
    options: OpenOptions = {},
  ): Promise<Checkpoint> {
    if (typeof paths !== "string") requireList("paths", paths);
    requireOptions(options);
    const list = typeof paths === "string" ? [paths] : [...paths];
    const wrong = list.findIndex((path: unknown) => typeof path !== "string");
    if (wrong >= 0) throw expected("E_ARGUMENT", "a path", `paths[${wrong}]`, list[wrong]);
    if (list.length === 0) throw expected("E_ARGUMENT", "at least one path", "paths", list);
    const layouts: (TorchLayout | null)[] = [];
    for (const path of list) {
      layouts.push(await readTorchLayout(path, options.names ?? "plain", options.signal));
    }
    const args = [list, layouts.map((layout) => layout && layout.placements)];
    return new Checkpoint(await call<OpenedFiles>("checkpoint.open", args, options), list, layouts);
  }

  /**
   * What torch files hold beside their state dict, as plain data: epoch, optimizer,
   * hyper-parameters. Empty for safetensors.
   */
  extras(): TorchDict {
    return this.#extras;
  }

  has(name: string): boolean {
    return this.#byName.has(name);
  }

  /**
   * Take a tensor, without copying it where the file holds a dtype that tensors have. Narrower
   * integers widen to `int64`; F64 needs an explicit `dtype`, since it would lose digits.
   *
   * Errors: `E_CHECKPOINT` (no such tensor, or a dtype that is not readable), `E_DTYPE`.
   */
  async tensor(name: string, options: { readonly dtype?: DType } = {}): Promise<Tensor> {
    const entry = this.#byName.get(name);
    const dtype = options.dtype ?? (entry && tensorDtypes[entry.dtype]);
    if (entry?.dtype === "F64" && !dtype) {
      throw expected("E_DTYPE", "a dtype to convert to", `F64 tensor ${name}`, undefined, { name });
    }
    const args = [this, name, dtype ?? null];
    return Tensor.fromNative(await call<NativeTensor>("checkpoint.tensor", args));
  }

  /**
   * @internal Copy out bytes `begin`..`end` of a tensor's elements in row-major order.
   */
  async bytes(name: string, begin: number, end: number): Promise<Uint8Array> {
    return call<Uint8Array>("checkpoint.bytes", [this, name, begin, end]);
  }
}

/** The extras of all files; the first file that has a key supplies its value. */
function merged(layouts: readonly (TorchLayout | null)[]): TorchDict {
  const all = new Map<TorchValue, TorchValue>();
  for (const layout of layouts) {
    for (const [key, value] of layout?.extras ?? []) if (!all.has(key)) all.set(key, value);
  }
  return all;
}

function texts(extras: TorchDict): (readonly [string, string])[] {
  return [...extras].flatMap(([key, value]) => {
    const isText = typeof value === "string" || typeof value === "number";
    return typeof key === "string" && isText ? [[key, String(value)] as const] : [];
  });
}
