import { expected } from "../../runtime/errors.js";
import { readTorchContent } from "./content.js";
import type { TorchFileContent } from "./content.js";
import type { ReadContext } from "./context.js";
import { bytesOf } from "./dtypes.js";
import { tensorsBelow } from "./walk.js";
import type { TorchDict, TorchTensor, TorchValue } from "./values.js";

/**
 * Which tensors of a torch file count, and by which names. `"plain"`: those of its state dict,
 * without the prefix `module.` of data-parallel training; `"raw"`: the same by the names in the
 * file; `"all"`: every tensor, the optimizer's too, by its full path.
 */
export type TorchNames = (typeof torchNames)[number];
const torchNames = ["plain", "raw", "all"] as const;

/** Where a tensor lies, for the addon: name, dtype, shape, strides, first byte. */
export type Placement = readonly [
  name: string,
  dtype: string,
  shape: readonly number[],
  strides: readonly number[],
  begin: number,
];

export interface TorchLayout {
  readonly placements: readonly Placement[];
  /** Everything beside the state dict. */
  readonly extras: TorchDict;
}

/** Where training scripts keep a state dict: laion_clap and Lightning, others, HiFi-GAN. */
const stateKeys = ["state_dict", "model_state_dict", "model", "generator"] as const;

const prefix = "module.";

/**
 * Find the tensors of a torch file without reading their data; null for a file of another format.
 *
 * Errors: `E_ARGUMENT`, `E_CHECKPOINT`, `E_IO`, `E_ABORTED`.
 */
export async function readTorchLayout(
  path: string,
  names: TorchNames,
  signal?: AbortSignal,
): Promise<TorchLayout | null> {
  if (!torchNames.includes(names)) {
    throw expected("E_ARGUMENT", torchNames.join(", "), "names", names);
  }
  const read = await readTorchContent(path, signal);
  if (read === null) return null;
  const { content, context } = read;
  for (const [tensorPath, tensor] of tensorsBelow(content.root, context)) {
    if (tensor.path === "") tensor.path = tensorPath;
  }
  const key = stateKey(content.root, context);
  const weights = key === null || names === "all" ? content.root : childOf(content.root, key);
  const named = [...tensorsBelow(weights, context)];
  const tensors = names === "plain" ? withoutPrefix(named) : named;
  return {
    placements: placements(tensors, content, context),
    extras: extras(content.root, key, context),
  };
}

/** The key of the state dict, where it lies below the top level. */
function stateKey(root: TorchValue, context: ReadContext): string | null {
  if (!(root instanceof Map)) return null;
  const key = stateKeys.find((name) => {
    const value = childOf(root as TorchDict, name);
    return value instanceof Map && !tensorsBelow(value as TorchDict, context).next().done;
  });
  return key ?? null;
}

function childOf(value: TorchValue, key: string): TorchValue {
  return value instanceof Map ? ((value as TorchDict).get(key) ?? null) : null;
}

function withoutPrefix(
  named: readonly (readonly [string, TorchTensor])[],
): readonly (readonly [string, TorchTensor])[] {
  if (!named[0]?.[0].startsWith(prefix)) return named;
  return named.map(([name, tensor]) => [
    name.startsWith(prefix) ? name.slice(prefix.length) : name,
    tensor,
  ]);
}

function placements(
  named: readonly (readonly [string, TorchTensor])[],
  { places }: TorchFileContent,
  context: ReadContext,
): readonly Placement[] {
  return named.map(([name, tensor]) => {
    const { storage, dtype, shape, strides, offset } = tensor;
    const place = places.get(storage.key);
    if (place === undefined) throw context.fault("a storage of the file", name, storage.key);
    const begin = place + storage.begin * bytesOf(storage.dtype) + offset * bytesOf(dtype);
    return [name, dtype, shape, strides, begin];
  });
}

/** What lies beside the state dict; of a bare state dict, what is no tensor and holds none. */
function extras(root: TorchValue, key: string | null, context: ReadContext): TorchDict {
  if (!(root instanceof Map)) return new Map();
  const pairs = [...(root as TorchDict)];
  if (key !== null) return new Map(pairs.filter(([name]) => name !== key));
  const seen = new Set<TorchValue>();
  return new Map(pairs.filter(([, value]) => [...tensorsBelow(value, context, seen)].length === 0));
}
