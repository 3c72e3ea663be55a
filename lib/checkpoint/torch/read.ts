import type { Tensor } from "../../tensor/tensor.js";
import { Checkpoint } from "../checkpoint.js";
import type { OpenOptions } from "../checkpoint.js";
import { readAll } from "../read-all.js";
import type { TorchDict } from "./values.js";

/** The content of a torch file. Disposing it disposes the tensors. */
export interface TorchContent extends Disposable {
  /** Of the state dict, or all of them with `names: "all"`. */
  readonly tensors: Readonly<Record<string, Tensor>>;
  /** Everything beside the state dict. */
  readonly data: TorchDict;
}

/**
 * Read every tensor of a file of `torch.save` (zip or legacy), and the plain data beside them. The
 * pickle in it can build nothing but tensors and plain data.
 *
 * Errors: `E_IO`, `E_CHECKPOINT`, `E_DTYPE` (F64, which tensors do not have), `E_ABORTED`.
 */
export async function readTorchFile(
  path: string,
  options: OpenOptions = {},
): Promise<TorchContent> {
  using checkpoint = await Checkpoint.open(path, options);
  const { tensors, release } = await readAll(checkpoint, options);
  return { tensors, data: checkpoint.extras(), [Symbol.dispose]: release };
}
