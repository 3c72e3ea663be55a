import { constants } from "node:fs";
import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { toMusicLDMError } from "../../runtime/errors.js";
import { ReadContext } from "./context.js";
import { readAt } from "./input.js";
import { readLegacy } from "./legacy.js";
import type { TorchValue } from "./values.js";
import { readZip } from "./zip.js";

/** What a file holds, and where in it each storage begins. */
export interface TorchFileContent {
  readonly root: TorchValue;
  readonly places: ReadonlyMap<string, number>;
}

export type CheckpointFormat = "safetensors" | "zip" | "legacy" | "tar" | "pickle";

/** The integer with which legacy files begin: as protocols 2 to 5 write it, then as 0 and 1 do. */
const magic = Buffer.from("8a0a6cfc9c46f9206aa85019", "hex");
const magicText = "L119547037146038801333356L";
const headBytes = 300;

/** Tell the format of a file by its first bytes; whatever is no file counts as safetensors. */
export async function detectFormat(file: FileHandle): Promise<CheckpointFormat> {
  const head = await readAt(file, 0, headBytes);
  if (head.subarray(0, 4).equals(Buffer.from("PK\u0003\u0004"))) return "zip";
  if (head.subarray(0, 32).includes(magic)) return "legacy";
  if (head.subarray(0, 32).includes(magicText)) return "legacy";
  if (head.subarray(257, 262).equals(Buffer.from("ustar"))) return "tar";
  return head[0] === 0x80 && head[8] !== 0x7b ? "pickle" : "safetensors";
}

/**
 * Read a file of torch.save; null for a safetensors file, or one that cannot be read at all.
 *
 * Errors: `E_CHECKPOINT`, `E_IO`, `E_ABORTED`.
 */
export async function readTorchContent(
  path: string,
  signal?: AbortSignal,
): Promise<{ readonly content: TorchFileContent; readonly context: ReadContext } | null> {
  const file = await openRegular(path);
  if (file === null) return null;
  try {
    const format = await detectFormat(file);
    if (format === "safetensors") return null;
    const context = new ReadContext(path);
    const { size } = await file.stat();
    return { content: await read(format, file, size, { context, signal }), context };
  } catch (error) {
    throw toMusicLDMError(error);
  } finally {
    await file.close();
  }
}

/** A named pipe or a folder is left to whoever reports it; opening a pipe would wait. */
async function openRegular(path: string): Promise<FileHandle | null> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch(() => null);
  if (file === null || (await file.stat()).isFile()) return file;
  await file.close();
  return null;
}

async function read(
  format: Exclude<CheckpointFormat, "safetensors">,
  file: FileHandle,
  size: number,
  { context, signal }: { context: ReadContext; signal: AbortSignal | undefined },
): Promise<TorchFileContent> {
  if (format === "zip") return readZip(file, size, context, signal);
  if (format === "legacy") return readLegacy(file, size, context, signal);
  const received = format === "tar" ? "a tar file of torch 0.1" : "a pickle of another writer";
  throw context.fault("a safetensors file or a file of torch.save", "the content", received);
}
