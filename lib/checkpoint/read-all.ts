import type { CallOptions } from "../runtime/abort.js";
import { throwIfAborted } from "../runtime/native.js";
import type { Tensor } from "../tensor/tensor.js";
import type { Checkpoint } from "./checkpoint.js";

/** Every tensor of a checkpoint by name, and what disposes them. */
interface AllTensors {
  readonly tensors: Readonly<Record<string, Tensor>>;
  readonly release: () => void;
}

/** @internal Take every tensor, or none when one of them fails. Errors: `E_DTYPE`, `E_ABORTED`. */
export async function readAll(checkpoint: Checkpoint, options: CallOptions): Promise<AllTensors> {
  const loaded = new Map<string, Tensor>();
  const release = (): void => loaded.forEach((tensor) => tensor.dispose());
  try {
    for (const { name } of checkpoint.entries) {
      throwIfAborted(options.signal);
      loaded.set(name, await checkpoint.tensor(name));
    }
  } catch (error) {
    release();
    throw error;
  }
  return { tensors: Object.fromEntries(loaded), release };
}
