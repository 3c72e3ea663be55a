import type { FileHandle } from "node:fs/promises";
import { inBatches } from "./batches.js";
import type { TorchFileContent } from "./content.js";
import type { ReadContext } from "./context.js";
import { PickleInput, readAt } from "./input.js";
import { unpickle } from "./machine.js";
import { storageBytes, StorageTable } from "./storages.js";
import type { TorchDict, TorchStorage, TorchValue } from "./values.js";

const magicNumber = 0x1950a86a20f9469cfc6cn;
const protocolVersion = 1001;
const countBytes = 8;

/**
 * Read what torch.save wrote before version 1.6, and still does on request: five pickles (magic
 * number, version, system, object, keys), then each storage as its element count and its elements.
 * Errors: `E_CHECKPOINT`, `E_IO`, `E_ABORTED`.
 */
export async function readLegacy(
  file: FileHandle,
  size: number,
  context: ReadContext,
  signal?: AbortSignal,
): Promise<TorchFileContent> {
  const input = new PickleInput(file, 0, size, context);
  const storages = new StorageTable(context);
  const none = (): never => {
    throw context.fault("no storage", "the head of the file", "one");
  };
  const magic = await unpickle(input, context, none, signal);
  if (magic !== magicNumber) throw context.fault("the magic number of torch", "the file", magic);
  const version = await unpickle(input, context, none, signal);
  if (version !== protocolVersion) {
    throw context.fault(String(protocolVersion), "the version of the format", version);
  }
  checkSystem(await unpickle(input, context, none, signal), context);
  const root = await unpickle(input, context, storages.load, signal);
  const keys = await unpickle(input, context, none, signal);
  const ordered = storagesInOrder(keys, storages, context);
  const places = await placeStorages(file, input.position, ordered, context);
  return { root, places };
}

function checkSystem(system: TorchValue, context: ReadContext): void {
  const settings = system instanceof Map ? (system as TorchDict) : null;
  const little = settings?.get("little_endian") ?? null;
  if (little !== true) throw context.fault("true", "little_endian", little);
}

function storagesInOrder(
  keys: TorchValue,
  storages: StorageTable,
  context: ReadContext,
): readonly TorchStorage[] {
  if (!Array.isArray(keys)) throw context.fault("a list of keys", "the storages", keys);
  const ordered = (keys as readonly TorchValue[]).map((key) => {
    const storage = typeof key === "string" ? storages.get(key) : undefined;
    if (!storage) throw context.fault("the key of a storage", "the storages", key);
    return storage;
  });
  const distinct = new Set(ordered).size;
  const wanted = [...storages.all].length;
  if (distinct === wanted && ordered.length === wanted) return ordered;
  throw context.fault(`${wanted} keys, each once`, "the storages", ordered.length);
}

/** The pickle gives every length, so that all positions are known before the counts are read. */
async function placeStorages(
  file: FileHandle,
  start: number,
  storages: readonly TorchStorage[],
  context: ReadContext,
): Promise<ReadonlyMap<string, number>> {
  const places = new Map<string, number>();
  let position = start;
  for (const storage of storages) {
    places.set(storage.key, position + countBytes);
    position += countBytes + storageBytes(storage);
  }
  await inBatches(storages, (storage) =>
    checkCount(file, (places.get(storage.key) ?? 0) - countBytes, storage, context),
  );
  return places;
}

async function checkCount(
  file: FileHandle,
  position: number,
  { key, elements }: TorchStorage,
  context: ReadContext,
): Promise<void> {
  const bytes = Number.isSafeInteger(position) ? await readAt(file, position, countBytes) : null;
  const count = bytes?.length === countBytes ? bytes.readBigInt64LE() : null;
  if (count !== BigInt(elements)) {
    throw context.fault(`${elements} elements`, `storage ${key}`, count ?? "none");
  }
}
