import { randomUUID } from "node:crypto";
import { readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { expected, toMusicLDMError } from "../runtime/errors.js";
import { makeFolders } from "../runtime/folders.js";

/**
 * Write a folder that appears at once or not at all: `fill` gets a temporary folder beside it,
 * which then takes its place. With `force` a folder that is not empty keeps its other entries.
 *
 * Errors: `E_IO` (not empty, no space, …) and those of `fill`; then nothing is left behind.
 */
export async function writeFolder<T>(
  folder: string,
  force: boolean,
  fill: (draft: string) => Promise<T>,
): Promise<T> {
  await refuseOccupied(folder, force);
  const draft = join(dirname(folder), `.${basename(folder)}.${randomUUID()}.tmp`);
  let made: string | undefined;
  try {
    made = await makeFolders(draft);
    const result = await fill(draft);
    await publish(draft, folder);
    return result;
  } catch (error) {
    // Parents that had to be made go as well.
    await rm(made ?? draft, { recursive: true, force: true });
    throw toMusicLDMError(error);
  }
}

async function refuseOccupied(folder: string, force: boolean): Promise<void> {
  let names: readonly string[];
  try {
    names = await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw toMusicLDMError(error);
  }
  if (names.length === 0 || force) return;
  const what = "an empty folder (or force)";
  throw expected("E_IO", what, folder, `${names.length} entries`, { folder });
}

/** Rename the draft into place, or part by part into a folder that stays. */
async function publish(draft: string, folder: string): Promise<void> {
  const isThere = await stat(folder).then(
    () => true,
    () => false,
  );
  const occupied = isThere && (await readdir(folder)).length > 0;
  if (!occupied) return rename(draft, folder);
  for (const name of await readdir(draft)) {
    await rm(join(folder, name), { recursive: true, force: true });
    await rename(join(draft, name), join(folder, name));
  }
  await rm(draft, { recursive: true });
}

/** Write a JSON file into a folder, which is made. */
export async function writeJson(folder: string, name: string, value: unknown): Promise<void> {
  await makeFolders(folder);
  await writeFile(join(folder, name), `${JSON.stringify(value, null, 2)}\n`);
}
