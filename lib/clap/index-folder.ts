import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import type { CallOptions } from "../runtime/abort.js";
import { requireList, requireObject, requireOptions } from "../runtime/arguments.js";
import { expected, toMusicLDMError } from "../runtime/errors.js";
import type { ErrorCode } from "../runtime/errors.js";
import { throwIfAborted } from "../runtime/native.js";
import type { EmbeddingIndex, FileState } from "./embedding-index.js";
import { audioExtensions, scanFolder } from "./folder-scan.js";
import type { FileFailure, FoundFile } from "./folder-scan.js";
import type { IndexedFile } from "./index-input.js";
import type { SearchModel, Windowing } from "./search-model.js";
import { agreeOnWindowing } from "./windowing.js";

export interface IndexFolderOptions extends CallOptions, Windowing {
  /** Endings of the names to take, such as `[".wav"]`. Default: those of known audio formats. */
  readonly extensions?: readonly string[] | undefined;
}

/** What an update of an index has done. */
export interface IndexFolderReport {
  /** Files that were not in the index. */
  readonly added: number;
  /** Files whose content has changed. */
  readonly changed: number;
  /** Files that have moved: they keep their embeddings. */
  readonly renamed: number;
  /** Files that are gone, or can be read no longer. */
  readonly removed: number;
  readonly unchanged: number;
  /** What could not be read; nothing else was stopped by it. */
  readonly failures: readonly FileFailure[];
}

/** Files that are embedded together, so that short ones fill a batch. */
const groupFiles = 8;
/** Rows that are kept in memory before they are written: what a crash loses. */
const groupRows = 1024;
/** Errors of one file, which do not end the whole. */
const ofOneFile: readonly ErrorCode[] = ["E_AUDIO", "E_IO", "E_NONFINITE"];

type Counts = Record<"added" | "changed" | "renamed" | "removed" | "unchanged", number>;

/**
 * Bring an index up to date with a folder: embed what is new or changed (by size and time, then by
 * content), keep what has only moved, drop what is gone. Files are named by their path below the
 * folder. What is done stays done when the call is aborted; the next one goes on from there.
 *
 * Errors: `E_ARGUMENT`, `E_CONFIG` (another model, other windows), `E_IO` (the folder itself),
 * `E_ABORTED`. Files that cannot be read are in the report.
 */
export async function indexFolder(
  model: SearchModel,
  folder: string,
  index: EmbeddingIndex,
  options: IndexFolderOptions = {},
): Promise<IndexFolderReport> {
  if (typeof folder !== "string" || folder === "") {
    throw expected("E_ARGUMENT", "the path of a folder", "folder", folder);
  }
  requireSameModel(model, index);
  requireOptions(options);
  const windowing = await agreeOnWindowing(index, options);
  const extensions = checkExtensions(options.extensions ?? audioExtensions);
  const scan = await scanFolder(folder, { extensions, signal: options.signal });
  return new FolderUpdate(model, index, { ...options, ...windowing }).run(scan);
}

/** @throws E_ARGUMENT, E_CONFIG */
export function requireSameModel(model: SearchModel, index: EmbeddingIndex): void {
  requireObject("model", model);
  requireObject("index", index);
  if (model.fingerprint === index.fingerprint && model.embeddingSize === index.embeddingSize)
    return;
  const what = `the model ${index.fingerprint} that made ${index.path}`;
  throw expected("E_CONFIG", what, "model", model.fingerprint);
}

/** @throws E_ARGUMENT */
function checkExtensions(extensions: readonly string[]): readonly string[] {
  requireList("extensions", extensions);
  const wrong = extensions.find((ending) => typeof ending !== "string" || !/^\.\w/.test(ending));
  if (wrong === undefined && extensions.length > 0) {
    return extensions.map((ending) => ending.toLowerCase());
  }
  throw expected("E_ARGUMENT", 'endings such as ".wav"', "extensions", wrong ?? extensions);
}

async function hashOf(path: string, signal: AbortSignal | undefined): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash, { ...(signal && { signal }) });
  return hash.digest("hex");
}

/** One run over a folder. */
class FolderUpdate {
  readonly #model: SearchModel;
  readonly #index: EmbeddingIndex;
  readonly #options: IndexFolderOptions;
  readonly #failures: FileFailure[] = [];
  readonly #counts: Counts = { added: 0, changed: 0, renamed: 0, removed: 0, unchanged: 0 };
  /** Files of the index that the folder no longer has, by content; several may have the same. */
  readonly #gone = new Map<string, FileState[]>();
  #finished: IndexedFile[] = [];

  constructor(model: SearchModel, index: EmbeddingIndex, options: IndexFolderOptions) {
    this.#model = model;
    this.#index = index;
    this.#options = options;
  }

  async run(scan: Awaited<ReturnType<typeof scanFolder>>): Promise<IndexFolderReport> {
    this.#failures.push(...scan.failures);
    const known = new Map((await this.#index.files()).map((state) => [state.file, state]));
    const present = new Set(scan.files.map(({ file }) => file));
    for (const state of known.values()) {
      if (present.has(state.file) || this.#isUnknown(state.file)) continue;
      const key = state.hash ?? state.file;
      this.#gone.set(key, [...(this.#gone.get(key) ?? []), state]);
    }
    const stale = scan.files.filter((found) => !isSame(known.get(found.file), found));
    this.#counts.unchanged = scan.files.length - stale.length;
    try {
      await this.#embedAll(stale, known);
    } finally {
      await this.#write();
    }
    const gone = [...this.#gone.values()].flat().map(({ file }) => file);
    await this.#index.remove(gone);
    this.#counts.removed += gone.length;
    return { ...this.#counts, failures: this.#failures };
  }

  /** Whether a file lies below a folder that could not be read: it may still be there. */
  #isUnknown(file: string): boolean {
    return this.#failures.some((failure) => file.startsWith(`${failure.file}/`));
  }

  async #embedAll(
    stale: readonly FoundFile[],
    known: ReadonlyMap<string, FileState>,
  ): Promise<void> {
    const { onProgress, signal } = this.#options;
    const report = (step: number): void =>
      onProgress?.({ stage: "index", step, totalSteps: stale.length });
    report(0);
    for (let start = 0; start < stale.length; start += groupFiles) {
      throwIfAborted(signal);
      const group: IndexedFile[] = [];
      const inputs: string[] = [];
      for (const found of stale.slice(start, start + groupFiles)) {
        const file = await this.#inspect(found, known.get(found.file));
        if (!file) continue;
        group.push(file);
        inputs.push(found.path);
      }
      await this.#embed(group, inputs, known);
      report(Math.min(start + groupFiles, stale.length));
    }
  }

  /** Hash a file. Nothing where its embeddings are there already, or where it cannot be read. */
  async #inspect(
    { file, path, size, modified }: FoundFile,
    before: FileState | undefined,
  ): Promise<IndexedFile | undefined> {
    try {
      const hash = await hashOf(path, this.#options.signal);
      const state = { file, size, modified, hash };
      const moved = before ? undefined : this.#gone.get(hash)?.pop();
      if (before?.hash !== hash && !moved) return { ...state, rows: [] };
      await this.#index.rename(moved?.file ?? file, state);
      this.#counts[moved ? "renamed" : "unchanged"] += 1;
    } catch (error) {
      await this.#fail(file, error, before);
    }
    return undefined;
  }

  /** Embed files together; where one of them fails, each on its own. */
  async #embed(
    group: readonly IndexedFile[],
    inputs: readonly string[],
    known: ReadonlyMap<string, FileState>,
  ): Promise<void> {
    if (group.length === 0) return;
    const { signal, windowSeconds, hopSeconds } = this.#options;
    const windows = { pool: "timeline", windowSeconds, hopSeconds, signal } as const;
    try {
      const timelines = await this.#model.embedAudio(inputs, windows);
      for (const [i, file] of group.entries()) {
        this.#counts[known.has(file.file) ? "changed" : "added"] += 1;
        this.#finished.push({ ...file, rows: timelines[i] ?? [] });
      }
    } catch (error) {
      const [only] = group;
      if (group.length === 1 && only) {
        return await this.#fail(only.file, error, known.get(only.file));
      }
      if (!isOfOneFile(error)) throw error;
      for (const [i, file] of group.entries()) {
        throwIfAborted(signal);
        await this.#embed([file], inputs.slice(i, i + 1), known);
      }
    }
    const rows = this.#finished.reduce((sum, file) => sum + file.rows.length, 0);
    if (rows >= groupRows) await this.#write();
  }

  async #write(): Promise<void> {
    const files = this.#finished;
    this.#finished = [];
    await this.#index.replace(files);
  }

  /** Note a file that cannot be read, and drop what the index has of its former content. */
  async #fail(file: string, error: unknown, before: FileState | undefined): Promise<void> {
    throwIfAborted(this.#options.signal);
    if (!isOfOneFile(error)) throw error;
    this.#failures.push({ file, error: toMusicLDMError(error) });
    if (!before) return;
    await this.#index.remove([file]);
    this.#counts.removed += 1;
  }
}

function isOfOneFile(error: unknown): boolean {
  return ofOneFile.includes(toMusicLDMError(error).code);
}

function isSame(state: FileState | undefined, { size, modified }: FoundFile): boolean {
  return state !== undefined && state.size === size && state.modified === modified;
}
