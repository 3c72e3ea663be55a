import type { FileHandle } from "node:fs/promises";
import { fromRandomAccessReaderPromise, RandomAccessReader } from "yauzl";
import type { Entry, ZipFile } from "yauzl";
import { MusicLDMError } from "../../runtime/errors.js";
import { inBatches } from "./batches.js";
import type { ReadContext } from "./context.js";
import type { TorchFileContent } from "./content.js";
import { PickleInput, readAt } from "./input.js";
import { unpickle } from "./machine.js";
import { storageBytes, StorageTable } from "./storages.js";

/** The directory of a zip file lies at its end; what fits in here is read at once. */
const directoryBytes = 1024 * 1024;

const maxEntries = 200_000;

/** Where the bytes of an archive's entry lie in the file. */
interface Region {
  readonly start: number;
  readonly length: number;
}

/**
 * Read what torch.save writes: a zip file of stored entries, with `data.pkl` and one entry for each
 * storage in a folder. Errors: `E_CHECKPOINT`, `E_IO`, `E_ABORTED`.
 */
export async function readZip(
  file: FileHandle,
  size: number,
  context: ReadContext,
  signal?: AbortSignal,
): Promise<TorchFileContent> {
  const archive = await Archive.open(file, size, context);
  await checkByteOrder(archive, file, context);
  const { start, length } = await archive.region("data.pkl");
  const storages = new StorageTable(context);
  const input = new PickleInput(file, start, start + length, context);
  const root = await unpickle(input, context, storages.load, signal);
  const places = new Map<string, number>();
  await inBatches([...storages.all], async (storage) => {
    const region = await archive.region(`data/${storage.key}`);
    places.set(storage.key, region.start);
    if (region.length === storageBytes(storage)) return;
    const what = `${storageBytes(storage)} bytes`;
    throw context.fault(what, `storage ${storage.key}`, region.length);
  });
  archive.checkOverlaps();
  return { root, places };
}

async function checkByteOrder(
  archive: Archive,
  file: FileHandle,
  context: ReadContext,
): Promise<void> {
  if (archive.has("constants.pkl")) {
    throw context.fault("a file of torch.save", "the archive", "TorchScript");
  }
  if (!archive.has("byteorder")) return;
  const { start, length } = await archive.region("byteorder");
  const order = (await readAt(file, start, Math.min(length, 16))).toString("latin1");
  if (order !== "little") throw context.fault('"little"', "byteorder", order);
}

/** The entries below the one folder that a file of torch.save has. */
class Archive {
  readonly #entries = new Map<string, Entry>();
  readonly #regions: Region[] = [];

  private constructor(
    private readonly zip: ZipFile,
    private readonly context: ReadContext,
  ) {}

  static async open(file: FileHandle, size: number, context: ReadContext): Promise<Archive> {
    const reader = new TailReader(file, size);
    await reader.fill();
    const options = { autoClose: false, strictFileNames: true };
    try {
      const archive = new Archive(
        await fromRandomAccessReaderPromise(reader, size, options),
        context,
      );
      await archive.readDirectory();
      return archive;
    } catch (error) {
      throw zipFault(error, context);
    }
  }

  has(name: string): boolean {
    return this.#entries.has(name);
  }

  /** Find the bytes of an entry. */
  async region(name: string): Promise<Region> {
    const entry = this.#entries.get(name);
    if (!entry) throw this.context.fault(`an entry ${name}`, "the archive", "none");
    if (entry.compressionMethod !== 0 || entry.isEncrypted()) {
      throw this.context.fault("an entry that is stored as it is", name, "a compressed one");
    }
    const start = await this.dataStart(entry);
    this.#regions.push({
      start: entry.relativeOffsetOfLocalHeader,
      length: start - entry.relativeOffsetOfLocalHeader + entry.uncompressedSize,
    });
    return { start, length: entry.uncompressedSize };
  }

  /** No two of the entries that were asked for may share bytes. */
  checkOverlaps(): void {
    let end = 0;
    for (const { start, length } of this.#regions.sort((a, b) => a.start - b.start)) {
      if (start < end) {
        throw this.context.fault("entries without overlaps", "the archive", start);
      }
      end = start + length;
    }
  }

  private async readDirectory(): Promise<void> {
    if (this.zip.entryCount > maxEntries) {
      throw this.context.fault(`at most ${maxEntries} entries`, "the archive", this.zip.entryCount);
    }
    let folder: string | undefined;
    for await (const entry of this.zip.eachEntry()) {
      folder ??= entry.fileName.split("/", 1)[0] ?? "";
      if (!entry.fileName.startsWith(`${folder}/`)) {
        throw this.context.fault("entries below one folder", "the archive", entry.fileName);
      }
      const name = entry.fileName.slice(folder.length + 1);
      if (this.#entries.has(name)) {
        throw this.context.fault("entries of different names", "the archive", name);
      }
      this.#entries.set(name, entry);
    }
  }

  private async dataStart(entry: Entry): Promise<number> {
    try {
      return (await this.zip.readLocalFileHeaderPromise(entry, { minimal: true })).fileDataStart;
    } catch (error) {
      throw zipFault(error, this.context);
    }
  }
}

function zipFault(error: unknown, context: ReadContext): MusicLDMError {
  if (error instanceof MusicLDMError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return context.fault("a zip file of torch.save", "the archive", reason);
}

/** Serves the end of a file from memory, since a directory is read in many small pieces. */
class TailReader extends RandomAccessReader {
  #tail: Buffer = Buffer.alloc(0);
  readonly #start: number;

  constructor(
    private readonly file: FileHandle,
    private readonly size: number,
  ) {
    super();
    this.#start = Math.max(0, size - directoryBytes);
  }

  async fill(): Promise<void> {
    this.#tail = await readAt(this.file, this.#start, this.size - this.#start);
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null, bytesRead?: number) => void,
  ): void {
    const inFile = Number.isSafeInteger(position) && position >= 0 && position <= this.size;
    if (!inFile) return callback(null, 0);
    const from = position - this.#start;
    if (from >= 0) {
      return callback(null, this.#tail.copy(buffer, offset, from, from + length));
    }
    this.file.read(buffer, offset, length, position).then(
      ({ bytesRead }) => callback(null, bytesRead),
      (error: unknown) => callback(error instanceof Error ? error : new Error(String(error))),
    );
  }
}
