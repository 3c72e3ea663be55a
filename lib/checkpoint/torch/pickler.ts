import { expected } from "../../runtime/errors.js";
import type { DType } from "../../runtime/native.js";
import { Tensor } from "../../tensor/tensor.js";
import { PickleBytes } from "./pickle-bytes.js";

/** What can be written: plain data and tensors. Plain objects and Maps become `dict`. */
export type TorchWritable =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | Tensor
  | readonly TorchWritable[]
  | ReadonlySet<TorchWritable>
  | ReadonlyMap<TorchWritable, TorchWritable>
  | { readonly [key: string]: TorchWritable };

const storageClasses: Readonly<Record<DType, string>> = {
  float32: "FloatStorage",
  float16: "HalfStorage",
  bfloat16: "BFloat16Storage",
  int64: "LongStorage",
  bool: "BoolStorage",
};

const maxDepth = 500;

/**
 * Pickle a tree as torch.save does, for `torch.load(weights_only=True)`. A container or tensor that
 * occurs twice is written once; frozen arrays become tuples.
 */
export class Pickler {
  /** Tensors in the order of their storage keys. */
  readonly tensors: Tensor[] = [];
  readonly #out = new PickleBytes().op("\x80\x02");
  readonly #memo = new Map<object, number>();
  #depth = 0;

  /** End the pickle of one value. Errors: `E_ARGUMENT` naming what is no plain data. */
  pickle(value: TorchWritable): Buffer {
    this.write(value, "data");
    return this.#out.op(".").bytes();
  }

  private write(value: TorchWritable, name: string): void {
    if (value === null) this.#out.op("N");
    else if (typeof value === "boolean") this.#out.op(value ? "\x88" : "\x89");
    else if (typeof value === "bigint" || Number.isSafeInteger(value))
      this.#out.integer(value as number);
    else if (typeof value === "number") this.#out.float(value);
    else if (typeof value === "string") this.#out.text(value);
    else if (typeof value === "object") this.object(value, name);
    else throw expected("E_ARGUMENT", "plain data", name, value);
  }

  private object(value: Exclude<TorchWritable, null> & object, name: string): void {
    const known = this.#memo.get(value);
    if (known !== undefined) return void this.#out.recall(known);
    if (++this.#depth > maxDepth) {
      throw expected("E_ARGUMENT", `at most ${maxDepth} levels`, name, "more");
    }
    if (value instanceof Tensor) this.tensor(value);
    else if (value instanceof Uint8Array) this.bytes(value);
    else if (Array.isArray(value)) this.array(value as readonly TorchWritable[], name);
    else if (value instanceof Set) this.set(value as ReadonlySet<TorchWritable>, name);
    else if (value instanceof Map)
      this.dict(value, [...(value as Map<string, TorchWritable>)], name);
    else if (isPlain(value)) this.dict(value, Object.entries(value), name);
    else throw expected("E_ARGUMENT", "plain data", name, value);
    this.#depth -= 1;
  }

  private remember(value: object): void {
    this.#memo.set(value, this.#out.memoise());
  }

  private array(value: readonly TorchWritable[], name: string): void {
    const isTuple = Object.isFrozen(value);
    this.#out.op(isTuple ? "(" : "]");
    if (!isTuple) {
      this.remember(value);
      this.#out.op("(");
    }
    value.forEach((item, i) => this.write(item, `${name}.${i}`));
    this.#out.op(isTuple ? "t" : "e");
    if (isTuple) this.remember(value);
  }

  private set(value: ReadonlySet<TorchWritable>, name: string): void {
    this.#out.global("builtins", "set").op("](");
    for (const item of value) this.write(item, name);
    this.#out.op("e\x85R");
    this.remember(value);
  }

  private dict(
    value: object,
    pairs: readonly (readonly [TorchWritable, TorchWritable])[],
    name: string,
  ): void {
    if (value instanceof OrderedTensors) this.#out.global("collections", "OrderedDict").op(")R");
    else this.#out.op("}");
    this.remember(value);
    this.#out.op("(");
    for (const [key, item] of pairs) {
      this.write(key, name);
      this.write(item, typeof key === "string" ? `${name}.${key}` : name);
    }
    this.#out.op("u");
  }

  /** Protocol 2 has no bytes: text in Latin-1 and a call stand for them. */
  private bytes(value: Uint8Array): void {
    this.#out.global("_codecs", "encode").op("(");
    this.#out.text(Buffer.from(value).toString("latin1")).text("latin1").op("tR");
    this.remember(value);
  }

  /** storage, offset, size, stride, requires_grad, backward_hooks */
  private tensor(value: Tensor): void {
    const strides = value.shape.map((_, i) =>
      value.shape.slice(i + 1).reduce((product, size) => product * Math.max(size, 1), 1),
    );
    const elements = value.shape.reduce((product, size) => product * size, 1);
    this.#out.global("torch._utils", "_rebuild_tensor_v2").op("((").text("storage");
    this.#out.global("torch", storageClasses[value.dtype]).text(String(this.tensors.length));
    this.#out.text("cpu").integer(elements).op("tQ").integer(0);
    this.sizes(value.shape);
    this.sizes(strides);
    this.#out.op("\x89").global("collections", "OrderedDict").op(")RtR");
    this.remember(value);
    this.tensors.push(value);
  }

  private sizes(sizes: readonly number[]): void {
    this.#out.op("(");
    for (const size of sizes) this.#out.integer(size);
    this.#out.op("t");
  }
}

/** A Map that is written as an OrderedDict, which is what a state dict is. */
export class OrderedTensors extends Map<string, Tensor> {}

function isPlain(value: object): value is { readonly [key: string]: TorchWritable } {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
