import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname, resolve, sep } from "node:path";
import { Transform } from "node:stream";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { openPromise } from "yauzl";
import type { Entry, ZipFile } from "yauzl";
import { throwIfAborted } from "./native.js";
import { setupError } from "./pip.js";

export interface ExtractOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onBytes?: ((done: number, total: number) => void) | undefined;
}

/** What a wheel's RECORD says of one of its files. */
interface RecordLine {
  /** SHA-256 as URL-safe base64 without padding. */
  readonly sha256: string;
  readonly bytes: number;
}

const wanted = /^torch\/(lib\/|include\/|version\.py$)|\.dist-info\/licenses\/(LICENSE|NOTICE)$/;
const recordFile = /^[^/]+\.dist-info\/RECORD$/;
const reportBytes = 1 << 22;

/**
 * Extract libtorch and its headers out of a torch wheel, each file compared with the wheel's RECORD
 * (Python packaging's "Recording installed projects"). Nothing outside of `folder` is written.
 *
 * Errors: `E_SETUP` (no wheel, truncated, altered, a path that leaves the folder), `E_ABORTED`;
 * errors of the file system as Node throws them.
 */
export async function extractWheel(
  wheel: string,
  folder: string,
  options: ExtractOptions = {},
): Promise<void> {
  const zip = await guard(openPromise(wheel, { lazyEntries: true, autoClose: false }));
  try {
    const entries = await guard(readEntries(zip));
    const record = await readRecord(zip, entries);
    const files = entries.filter(({ fileName }) => wanted.test(fileName) && !isFolder(fileName));
    checkComplete(files, record);
    const progress = new Progress(files, options.onBytes);
    for (const entry of files) {
      throwIfAborted(options.signal);
      const expected = record.get(entry.fileName);
      if (!expected) throw setupError(`RECORD of the wheel does not list ${entry.fileName}`);
      await extractEntry(zip, entry, { folder, expected, progress, signal: options.signal });
    }
  } finally {
    zip.close();
  }
}

const isFolder = (name: string): boolean => name.endsWith("/");

async function readEntries(zip: ZipFile): Promise<readonly Entry[]> {
  const entries: Entry[] = [];
  for await (const entry of zip.eachEntry()) entries.push(entry);
  return entries;
}

async function readRecord(
  zip: ZipFile,
  entries: readonly Entry[],
): Promise<ReadonlyMap<string, RecordLine>> {
  const entry = entries.find(({ fileName }) => recordFile.test(fileName));
  if (!entry) throw setupError("the file is not a wheel: it has no RECORD");
  const pieces: Buffer[] = [];
  const stream = await guard(zip.openReadStreamPromise(entry));
  await guard(collect(stream, pieces));
  const record = new Map<string, RecordLine>();
  for (const line of Buffer.concat(pieces).toString("utf8").split(/\r?\n/)) {
    const [, quoted, plain, sha256, bytes] =
      /^(?:"(.*)"|([^"]*)),sha256=([\w-]+),(\d+)$/.exec(line) ?? [];
    const name = quoted?.replaceAll('""', '"') ?? plain;
    if (name && sha256) record.set(name, { sha256, bytes: Number(bytes) });
  }
  return record;
}

async function collect(stream: Readable, pieces: Buffer[]): Promise<void> {
  for await (const piece of stream) pieces.push(piece as Buffer);
}

function checkComplete(files: readonly Entry[], record: ReadonlyMap<string, RecordLine>): void {
  const present = new Set(files.map(({ fileName }) => fileName));
  const missing = [...record.keys()].filter((name) => wanted.test(name) && !present.has(name));
  if (missing.length === 0) return;
  throw setupError(`the wheel lacks ${missing.length} files of its RECORD, such as ${missing[0]}`);
}

interface EntryTarget {
  readonly folder: string;
  readonly expected: RecordLine;
  readonly progress: Progress;
  readonly signal: AbortSignal | undefined;
}

async function extractEntry(zip: ZipFile, entry: Entry, target: EntryTarget): Promise<void> {
  const { folder, expected, progress, signal } = target;
  const path = inside(folder, entry.fileName);
  await mkdir(dirname(path), { recursive: true });
  const hash = createHash("sha256");
  let bytes = 0;
  const check = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      bytes += chunk.length;
      progress.add(chunk.length);
      done(bytes > expected.bytes ? altered(entry.fileName) : null, chunk);
    },
  });
  const stream = await guard(zip.openReadStreamPromise(entry));
  await guard(
    pipeline(stream, check, createWriteStream(path), { ...(signal && { signal }) }),
    signal,
  );
  const matches = bytes === expected.bytes && hash.digest("base64url") === expected.sha256;
  if (!matches) throw altered(entry.fileName);
}

const altered = (name: string) =>
  setupError(`${name} in the wheel differs from the wheel's RECORD`);

/** Resolve an entry's name under a folder. */
function inside(folder: string, name: string): string {
  const path = resolve(folder, name);
  if (path.startsWith(resolve(folder) + sep)) return path;
  throw setupError(`the wheel's entry ${JSON.stringify(name)} leaves its folder`);
}

class Progress {
  readonly #total: number;
  readonly #onBytes: ExtractOptions["onBytes"];
  #done = 0;
  #reported = 0;

  constructor(files: readonly Entry[], onBytes: ExtractOptions["onBytes"]) {
    this.#total = files.reduce((sum, entry) => sum + entry.uncompressedSize, 0);
    this.#onBytes = onBytes;
  }

  add(bytes: number): void {
    this.#done += bytes;
    if (this.#done - this.#reported < reportBytes && this.#done !== this.#total) return;
    this.#reported = this.#done;
    this.#onBytes?.(this.#done, this.#total);
  }
}

/** Map a failure of the zip library to `E_SETUP`, and leave those of the file system alone. */
async function guard<T>(work: Promise<T>, signal?: AbortSignal): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throwIfAborted(signal);
    const { code, message } = error as Error & { code?: string };
    const isZip = code === undefined || /^(Z_|ERR_)/.test(code);
    if (!isZip) throw error;
    throw setupError(`the wheel cannot be read: ${message}`, error);
  }
}
