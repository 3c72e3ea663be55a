import type { CallOptions } from "../runtime/abort.js";
import { call } from "../runtime/native.js";
import type { Tensor } from "../tensor/tensor.js";
import { Checkpoint } from "./checkpoint.js";
import { readAll } from "./read-all.js";

/** The content of a safetensors file. Disposing it disposes the tensors. */
export interface SafetensorsContent extends Disposable {
  readonly tensors: Readonly<Record<string, Tensor>>;
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Read every tensor of a safetensors file; they share the memory of the mapped file.
 *
 * Errors: `E_IO`, `E_CHECKPOINT`, `E_DTYPE` (F64, which tensors do not have).
 */
export async function readSafetensors(
  path: string,
  options: CallOptions = {},
): Promise<SafetensorsContent> {
  using checkpoint = await Checkpoint.open(path, options);
  const { tensors, release } = await readAll(checkpoint, options);
  const { metadata } = checkpoint;
  return { tensors, metadata, [Symbol.dispose]: release };
}

/**
 * Write tensors and text metadata to a safetensors file. The path holds either its old content or
 * all of the new one; a failed or aborted call leaves no other file behind.
 *
 * Errors: `E_IO` (no such folder, full disk, …), `E_ARGUMENT`, `E_ABORTED`.
 */
export async function writeSafetensors(
  path: string,
  tensors: Readonly<Record<string, Tensor>>,
  metadata: Readonly<Record<string, string>> = {},
  options: CallOptions = {},
): Promise<void> {
  await call<null>("checkpoint.write", [path, tensors, metadata], options);
}
