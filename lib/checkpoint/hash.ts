import { createHash } from "node:crypto";
import type { Hash } from "node:crypto";
import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { toMusicLDMError } from "../runtime/errors.js";
import { throwIfAborted } from "../runtime/native.js";
import type { CheckpointEntry } from "./checkpoint.js";
import { openWeights } from "./files.js";
import type { WeightFiles } from "./files.js";
import type { ModelFolder } from "./folder.js";

/** A tensor of at most twice this many bytes counts whole, a larger one by two blocks of it. */
const blockBytes = 1024;

/**
 * Identify the weights of a folder without reading all of them: SHA-256, hexadecimal, over each
 * component's tensors by name, dtype, shape, the first KiB and the KiB at the middle. The same
 * tensors give the same hash whether or not they are sharded, and whatever the metadata; training
 * changes it, since it changes every tensor.
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
    const files = await openFiles(checkpoint.paths);
    try {
      const entries = [...checkpoint.entries].sort((a, b) => (a.name < b.name ? -1 : 1));
      for (const entry of entries) {
        throwIfAborted(options.signal);
        hash.update(`${JSON.stringify([entry.name, entry.dtype, entry.shape])}\n`);
        await sample(hash, files[entry.file], entry);
      }
    } finally {
      await Promise.all(files.map((file) => file.close()));
    }
  }
  return hash.digest("hex");
}

async function openFiles(paths: readonly string[]): Promise<readonly FileHandle[]> {
  try {
    return await Promise.all(paths.map((path) => open(path, "r")));
  } catch (error) {
    throw toMusicLDMError(error);
  }
}

async function sample(
  hash: Hash,
  file: FileHandle | undefined,
  { offset, bytes }: CheckpointEntry,
): Promise<void> {
  if (bytes <= 2 * blockBytes) return update(hash, file, offset, bytes);
  await update(hash, file, offset, blockBytes);
  await update(hash, file, offset + Math.floor(bytes / 2), blockBytes);
}

async function update(
  hash: Hash,
  file: FileHandle | undefined,
  position: number,
  length: number,
): Promise<void> {
  if (file === undefined || length === 0) return;
  const buffer = Buffer.alloc(length);
  const { bytesRead } = await file.read(buffer, 0, length, position).catch((error: unknown) => {
    throw toMusicLDMError(error);
  });
  hash.update(buffer.subarray(0, bytesRead));
}
