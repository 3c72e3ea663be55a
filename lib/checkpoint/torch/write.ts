import { Uint8ArrayReader, ZipWriter } from "@zip.js/zip.js";
import type { FileHandle } from "node:fs/promises";
import type { CallOptions } from "../../runtime/abort.js";
import { requireObject, requireOptions } from "../../runtime/arguments.js";
import { expected, toMusicLDMError } from "../../runtime/errors.js";
import { call, throwIfAborted } from "../../runtime/native.js";
import { replaceFile } from "../../runtime/replace.js";
import { Tensor } from "../../tensor/tensor.js";
import { OrderedTensors, Pickler } from "./pickler.js";
import type { TorchWritable } from "./pickler.js";

/** What a torch file shall hold. */
export interface TorchFileSource {
  /** The state dict, in this order. */
  readonly tensors: Readonly<Record<string, Tensor>>;
  /** What lies beside it: plain data, in which tensors may occur. */
  readonly data?: TorchFileData | undefined;
}

export type TorchFileData =
  ReadonlyMap<TorchWritable, TorchWritable> | Readonly<Record<string, TorchWritable>>;

export interface WriteTorchOptions extends CallOptions {
  /** Where the state dict lies: `"state_dict"` by default; null: it is the whole file. */
  readonly stateKey?: string | null | undefined;
}

const folder = "archive";

/** The oldest time of a zip file, so that equal content gives equal bytes. */
const entryOptions = { lastModDate: new Date(1980, 0, 1), extendedTimestamp: false };

/** Stored as they are, on 64-byte borders (which USDZ wants too), in this thread. */
const zipOptions = { level: 0, usdz: true, keepOrder: true, useWebWorkers: false };

/**
 * Write a file that `torch.load(weights_only=True)` reads. The path holds either its old content or
 * all of the new one; a failed or aborted call leaves no other file behind.
 *
 * Errors: `E_IO`, `E_ARGUMENT` (data that is not plain), `E_ABORTED`.
 */
export async function writeTorch(
  path: string,
  source: TorchFileSource,
  options: WriteTorchOptions = {},
): Promise<void> {
  requireOptions(options);
  checkSource(source);
  const pickler = new Pickler();
  const pickle = pickler.pickle(rootOf(source, options.stateKey));
  try {
    await replaceFile(path, (file) => fill(file, pickle, pickler.tensors, options.signal));
  } catch (error) {
    throw toMusicLDMError(error);
  }
}

/** @throws E_ARGUMENT */
function checkSource(source: TorchFileSource): void {
  requireObject("source", source);
  requireObject("tensors", source.tensors);
  for (const [name, tensor] of Object.entries(source.tensors)) {
    if (!(tensor instanceof Tensor)) throw expected("E_ARGUMENT", "a Tensor", name, tensor);
  }
}

function rootOf(
  { tensors, data = {} }: TorchFileSource,
  stateKey: string | null = "state_dict",
): TorchWritable {
  const state = new OrderedTensors(Object.entries(tensors));
  const beside = data instanceof Map ? data : new Map(Object.entries(data));
  const root = beside as ReadonlyMap<TorchWritable, TorchWritable>;
  if (stateKey !== null) return new Map([...root, [stateKey, state]]);
  if (root.size === 0) return state;
  throw expected("E_ARGUMENT", "a stateKey beside other data", "stateKey", stateKey);
}

async function fill(
  file: FileHandle,
  pickle: Buffer,
  tensors: readonly Tensor[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const target = new WritableStream<Uint8Array>({ write: (chunk) => file.writeFile(chunk) });
  const zip = new ZipWriter(target, zipOptions);
  const add = async (name: string, bytes: Uint8Array): Promise<void> => {
    throwIfAborted(signal);
    await zip.add(`${folder}/${name}`, new Uint8ArrayReader(bytes), entryOptions);
  };
  await add("data.pkl", pickle);
  await add("byteorder", Buffer.from("little"));
  for (const [key, tensor] of tensors.entries()) {
    await add(`data/${key}`, await call<Uint8Array>("checkpoint.tensor_bytes", [tensor]));
  }
  await add("version", Buffer.from("3\n"));
  await zip.close();
}
