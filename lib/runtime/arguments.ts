import type { CallOptions } from "./abort.js";
import { expected } from "./errors.js";

/** Check what callers without types may leave out. @throws E_ARGUMENT */
export function requireObject(name: string, value: unknown): void {
  if (typeof value === "object" && value !== null) return;
  throw expected("E_ARGUMENT", "an object", name, value);
}

/** @throws E_ARGUMENT */
export function requireList(name: string, value: unknown): void {
  if (!Array.isArray(value)) throw expected("E_ARGUMENT", "a list", name, value);
}

/** Check the options that every long call takes. @throws E_ARGUMENT */
export function requireOptions(options: CallOptions): void {
  requireObject("options", options);
  const { signal, onProgress }: { signal?: unknown; onProgress?: unknown } = options;
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw expected("E_ARGUMENT", "an AbortSignal", "signal", signal);
  }
  if (onProgress !== undefined && typeof onProgress !== "function") {
    throw expected("E_ARGUMENT", "a function", "onProgress", onProgress);
  }
}
