import { open, realpath, stat } from "node:fs/promises";
import { MusicLDMError } from "../runtime/errors.js";
import { replaceFile } from "../runtime/replace.js";

/** Turn what Node threw about a path into `E_IO` with the path in the message. */
export function ioError(verb: string, path: string, error: unknown): MusicLDMError {
  const reason = error instanceof Error ? error.message : String(error);
  const { code } = error as { code?: unknown };
  return new MusicLDMError("E_IO", `Cannot ${verb} ${path}: ${reason}`, {
    path,
    systemCode: code,
    cause: error,
  });
}

/**
 * Write a file whole or not at all: under a temporary name in the same folder, flushed to the disk,
 * renamed. A device or a pipe, which a rename would replace, is written to directly.
 *
 * (write-file-atomic 7 takes the short write of a full disk for success.)
 * @throws E_IO
 */
export async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  try {
    const found = await stat(path).catch(() => undefined);
    if (found && !found.isFile() && !found.isDirectory()) return await writeThrough(path, bytes);
    const target = found ? await realpath(path) : path;
    await replaceFile(target, (file) => file.writeFile(bytes), found?.mode);
  } catch (error) {
    throw ioError("write", path, error);
  }
}

async function writeThrough(path: string, bytes: Uint8Array): Promise<void> {
  await using file = await open(path, "w");
  await file.writeFile(bytes);
}
