import { expected } from "../runtime/errors.js";
import { call, NativeObject } from "../runtime/native.js";
import type { CallOptions } from "../runtime/abort.js";
import type { DType, NativeReference, NativeTensor } from "../runtime/native.js";
import { Tensor } from "../tensor/tensor.js";

/** A tensor of a safetensors file, as its header describes it. */
export interface CheckpointEntry {
  readonly name: string;
  /** The format's own name: `"F32"`, `"BF16"`, `"I64"`, … */
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: number;
  /** Where the data begins in its file. */
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
 * Safetensors files, mapped into memory and opened as one set of named tensors. Opening reads the
 * headers only; every field is checked against the file. The files must keep their length while
 * open (replacing one by rename is fine).
 */
export class Checkpoint extends NativeObject {
  readonly paths: readonly string[];
  readonly entries: readonly CheckpointEntry[];
  /** The text metadata of all files; the first file that has a key supplies its value. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly #byName: ReadonlyMap<string, CheckpointEntry>;

  private constructor(opened: OpenedFiles, paths: readonly string[]) {
    super(opened.checkpoint.handle);
    this.paths = paths;
    this.entries = opened.entries;
    this.metadata = Object.fromEntries(opened.metadata);
    this.#byName = new Map(opened.entries.map((entry) => [entry.name, entry]));
  }

  /**
   * Open one file, or the shards of one model.
   *
   * Errors: `E_IO` (unreadable), `E_CHECKPOINT` (malformed, or a tensor in two files).
   */
  static async open(paths: string | readonly string[], options?: CallOptions): Promise<Checkpoint> {
    const list = typeof paths === "string" ? [paths] : [...paths];
    if (list.length === 0) throw expected("E_ARGUMENT", "at least one path", "paths", list);
    return new Checkpoint(await call<OpenedFiles>("checkpoint.open", [list], options), list);
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
}
