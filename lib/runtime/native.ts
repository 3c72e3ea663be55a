import { loadAddon } from "./loader.js";
import { MusicLDMError, toMusicLDMError } from "./errors.js";
import type { CallOptions } from "./abort.js";

declare const handleBrand: unique symbol;

/** An opaque reference to a native tensor or object. */
export interface NativeHandle {
  readonly [handleBrand]: true;
}

export type DType = "float32" | "float16" | "bfloat16" | "int64" | "bool";

/** A tensor as the addon returns it. */
export interface NativeTensor {
  readonly handle: NativeHandle;
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly device: string;
}

/** An object other than a tensor as the addon returns it. */
export interface NativeReference {
  readonly handle: NativeHandle;
}

/** Live handles of this thread, and the bytes that they refer to. */
export interface MemoryUsage {
  readonly handles: number;
  readonly bytes: number;
}

/** The whole surface of the addon: one dispatcher. */
export interface NativeAddon {
  call(op: string, args: readonly unknown[], token?: NativeHandle): Promise<unknown>;
  callSync(op: string, args: readonly unknown[]): unknown;
  dispose(handle: NativeHandle): void;
  memory(): MemoryUsage;
}

/** Base of every class that owns a native handle. */
export abstract class NativeObject {
  #handle: NativeHandle | undefined;

  /** @internal */
  protected constructor(handle: NativeHandle) {
    this.#handle = handle;
  }

  /** @internal The handle; throws `E_DISPOSED` after `dispose()`. */
  get handle(): NativeHandle {
    if (this.#handle) return this.#handle;
    const name = this.constructor.name;
    throw new MusicLDMError("E_DISPOSED", `Expected a live ${name} but it was disposed`, { name });
  }

  get isDisposed(): boolean {
    return this.#handle === undefined;
  }

  /** Free the native memory now; jobs that run keep what they use. Idempotent. */
  dispose(): void {
    if (this.#handle) loadAddon().dispose(this.#handle);
    this.#handle = undefined;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

function toNative(value: unknown): unknown {
  if (value instanceof NativeObject) return value.handle;
  if (Array.isArray(value)) return value.map(toNative);
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return value;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toNative(item)]));
}

/**
 * Run an op on the executor of its device.
 *
 * @param options `signal` aborts it before it starts and between the blocks of a network.
 */
export async function call<T>(
  op: string,
  args: readonly unknown[],
  options: CallOptions = {},
): Promise<T> {
  const { signal } = options;
  if (!signal) return callNative<T>(op, args);
  throwIfAborted(signal);
  const token = callSync<NativeReference>("runtime.create_token", []).handle;
  const cancel = (): void => void callSync("runtime.cancel", [token]);
  signal.addEventListener("abort", cancel, { once: true });
  try {
    return await callNative<T>(op, args, token);
  } finally {
    signal.removeEventListener("abort", cancel);
    loadAddon().dispose(token);
  }
}

async function callNative<T>(
  op: string,
  args: readonly unknown[],
  token?: NativeHandle,
): Promise<T> {
  try {
    return (await loadAddon().call(op, args.map(toNative), token)) as T;
  } catch (error) {
    throw toMusicLDMError(error);
  }
}

/** Run an op on this thread; only for ops that take microseconds. */
export function callSync<T>(op: string, args: readonly unknown[]): T {
  try {
    return loadAddon().callSync(op, args.map(toNative)) as T;
  } catch (error) {
    throw toMusicLDMError(error);
  }
}

/** Throw `E_ABORTED` when the signal has fired. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (!signal?.aborted) return;
  throw new MusicLDMError("E_ABORTED", "The call was aborted", { cause: signal.reason });
}

/** Count the live handles of this thread and the bytes that they refer to. */
export function memory(): MemoryUsage {
  return loadAddon().memory();
}

/** Set how many threads one op may use; takes effect with the next op. @throws E_ARGUMENT */
export function setThreads(count: number): void {
  callSync("runtime.set_threads", [count]);
}
