import { readdir, stat } from "node:fs/promises";
import type { Dirent } from "node:fs";
import { extname, join } from "node:path";
import { toMusicLDMError } from "../runtime/errors.js";
import type { MusicLDMError } from "../runtime/errors.js";
import { throwIfAborted } from "../runtime/native.js";

/** Endings, in lower case, of the names that are taken for audio. */
export const audioExtensions: readonly string[] = [
  ".aac",
  ".aif",
  ".aiff",
  ".flac",
  ".m4a",
  ".mp3",
  ".oga",
  ".ogg",
  ".opus",
  ".wav",
  ".wave",
];

/** An audio file of a folder. */
export interface FoundFile {
  /** Path below the folder, with slashes. */
  readonly file: string;
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly modified: number;
}

/** What could not be read, and why. */
export interface FileFailure {
  /** Path below the folder, with slashes. */
  readonly file: string;
  readonly error: MusicLDMError;
}

export interface FolderScan {
  /** In the order of their names. */
  readonly files: readonly FoundFile[];
  readonly failures: readonly FileFailure[];
}

export interface ScanOptions {
  readonly extensions: readonly string[];
  readonly signal?: AbortSignal | undefined;
}

/** Files whose size and time are asked for together. */
const statBatch = 32;

/**
 * List the audio files below a folder. Names that start with a dot are left out; links to files are
 * followed, links to folders are not, so that no folder is seen twice.
 *
 * @throws E_IO where the folder itself cannot be read, E_ABORTED
 */
export async function scanFolder(folder: string, options: ScanOptions): Promise<FolderScan> {
  const [files, failures]: [FoundFile[], FileFailure[]] = [[], []];
  const visit = async (below: string): Promise<void> => {
    throwIfAborted(options.signal);
    const entries = await listFolder(folder, below).catch((error: unknown) => {
      if (below === "") throw toMusicLDMError(error);
      failures.push({ file: below, error: toMusicLDMError(error) });
      return [];
    });
    const wanted = entries.filter((entry) => isWanted(entry, options.extensions));
    const names = wanted.map(({ name }) => (below === "" ? name : `${below}/${name}`));
    for (let start = 0; start < names.length; start += statBatch) {
      const batch = names.slice(start, start + statBatch);
      for (const found of await Promise.all(batch.map((file) => describe(folder, file)))) {
        if (found && "error" in found) failures.push(found);
        else if (found) files.push(found);
      }
    }
    for (const entry of entries) {
      if (entry.isDirectory()) await visit(below === "" ? entry.name : `${below}/${entry.name}`);
    }
  };
  await visit("");
  return { files, failures };
}

/** Entries that are not hidden, by name. */
async function listFolder(folder: string, below: string): Promise<readonly Dirent[]> {
  const entries = await readdir(join(folder, below), { withFileTypes: true });
  return entries
    .filter(({ name }) => !name.startsWith("."))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function isWanted(entry: Dirent, extensions: readonly string[]): boolean {
  if (!entry.isFile() && !entry.isSymbolicLink()) return false;
  return extensions.includes(extname(entry.name).toLowerCase());
}

/** Nothing for a link to something else than a file. */
async function describe(
  folder: string,
  file: string,
): Promise<FoundFile | FileFailure | undefined> {
  const path = join(folder, file);
  try {
    const found = await stat(path);
    if (!found.isFile()) return undefined;
    return { file, path, size: found.size, modified: found.mtimeMs };
  } catch (error) {
    return { file, error: toMusicLDMError(error) };
  }
}
