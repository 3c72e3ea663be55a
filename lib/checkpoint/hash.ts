import { createHash } from "node:crypto";
import type { Hash } from "node:crypto";
import { throwIfAborted } from "../runtime/native.js";
import type { Checkpoint, CheckpointEntry } from "./checkpoint.js";
import { openWeights } from "./files.js";
import type { WeightFiles } from "./files.js";
import type { ModelFolder } from "./folder.js";

/** A tensor of at most twice this many bytes counts whole, a larger one by two blocks of it. */
const blockBytes = 1024;

/**
 * Identify the weights of a folder without reading all of them: SHA-256, hexadecimal, over each
 * component's tensors by name, dtype, shape, the first KiB and the KiB at the middle. The same
 * tensors give the same hash whether or not they are sharded, whatever the metadata and the format
 * of the file; training changes it, since it changes every tensor.
 *
 * Errors: `E_IO`, `E_CHECKPOINT`, `E_ABORTED`.
 */
export async function weightsHash(
  {
    textEncoder,
    unet,
    vae,
    vocoder,
  }: Pick<ModelFolder, "textEncoder" | "unet" | "vae" | "vocoder">,
  options: HashOptions = {},
): Promise<string> {
  return hashParts([textEncoder, unet, vae, vocoder], options);
}

interface HashOptions {
  readonly signal?: AbortSignal | undefined;
}

/** Weights and what they are called. */
interface HashedPart {
  readonly name: string;
  readonly weights: WeightFiles;
}

/** Identify the weights of several parts; see `weightsHash`. Errors: as there. */
export async function hashParts(
  parts: readonly HashedPart[],
  options: HashOptions = {},
): Promise<string> {
  const hash = createHash("sha256");
  for (const { name, weights } of parts) {
    using checkpoint = await openWeights(weights);
    hash.update(`${name}\n`);
    const entries = [...checkpoint.entries].sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const entry of entries) {
      throwIfAborted(options.signal);
      hash.update(`${JSON.stringify([entry.name, entry.dtype, entry.shape])}\n`);
      await sample(hash, checkpoint, entry);
    }
  }
  return hash.digest("hex");
}

async function sample(
  hash: Hash,
  checkpoint: Checkpoint,
  { name, bytes }: CheckpointEntry,
): Promise<void> {
  const middle = Math.floor(bytes / 2);
  const blocks =
    bytes <= 2 * blockBytes
      ? ([[0, bytes]] as const)
      : ([
          [0, blockBytes],
          [middle, middle + blockBytes],
        ] as const);
  for (const [begin, end] of blocks) hash.update(await checkpoint.bytes(name, begin, end));
}
