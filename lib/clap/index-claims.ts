import { realpath } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { MusicLDMError } from "../runtime/errors.js";

/** How a file is open in this thread. */
interface Claims {
  readers: number;
  writers: number;
}

const open = new Map<string, Claims>();

/**
 * Claim a file for one writer or for readers. The engine's own lock keeps other processes out, but
 * not a second instance in the same one.
 *
 * @returns What gives the claim back. @throws E_IO
 */
export async function claimFile(path: string, isReadOnly: boolean): Promise<() => void> {
  if (path === ":memory:") return () => undefined;
  const folder = await realpath(dirname(resolve(path))).catch(() => dirname(resolve(path)));
  const key = await realpath(path).catch(() => join(folder, basename(path)));
  const claims = open.get(key) ?? { readers: 0, writers: 0 };
  if (claims.writers > 0 || (!isReadOnly && claims.readers > 0)) {
    const message = `Expected an index that nobody writes for ${path} but it is open already`;
    throw new MusicLDMError("E_IO", message, { path });
  }
  open.set(key, claims);
  const side = isReadOnly ? "readers" : "writers";
  claims[side] += 1;
  return () => {
    claims[side] -= 1;
    if (claims.readers + claims.writers === 0) open.delete(key);
  };
}
