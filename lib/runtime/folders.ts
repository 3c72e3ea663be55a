import { mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";

/**
 * Make a folder and those above it → the first that was made. Node's own `recursive` tries for ever
 * where a file system has no room for new names, such as `/proc`. Errors are those of Node.
 */
export async function makeFolders(path: string): Promise<string | undefined> {
  const above = dirname(path);
  try {
    return await make(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT" || above === path) throw error;
  }
  const first = await makeFolders(above);
  const last = await make(path);
  return first ?? last;
}

/** @returns the path, or undefined for a folder that is there */
async function make(path: string): Promise<string | undefined> {
  try {
    await mkdir(path);
    return path;
  } catch (error) {
    const isTaken = (error as NodeJS.ErrnoException).code === "EEXIST";
    if (isTaken && (await stat(path)).isDirectory()) return undefined;
    throw error;
  }
}
