import type { ReadContext } from "./context.js";
import { bytesOf, storageDtype } from "./dtypes.js";
import type { PersistentLoad } from "./stack.js";
import { TorchName, TorchStorage } from "./values.js";
import type { TorchValue } from "./values.js";

/** The storages that the pickles of a file refer to, by key. */
export class StorageTable {
  readonly #byKey = new Map<string, TorchStorage>();

  constructor(private readonly context: ReadContext) {}

  get all(): IterableIterator<TorchStorage> {
    return this.#byKey.values();
  }

  get(key: string): TorchStorage | undefined {
    return this.#byKey.get(key);
  }

  /** `("storage", class, key, location, elements)`, and in old files a view of it. */
  readonly load: PersistentLoad = (identifier) => {
    const [kind, type, key, , elements, view = null] = this.fields(identifier);
    const dtype = type instanceof TorchName ? storageDtype(type.name) : undefined;
    if (!dtype) throw this.context.fault("a storage class of torch", "a storage", type ?? null);
    if (kind !== "storage" || typeof key !== "string" || !/^\w{1,64}$/.test(key)) {
      throw this.context.fault("a key of letters and digits", "a storage", key ?? null);
    }
    const whole = this.whole(key, this.count(elements ?? null), dtype);
    return view === null ? whole : this.view(whole, view);
  };

  private fields(identifier: TorchValue): readonly TorchValue[] {
    if (Array.isArray(identifier)) return identifier as readonly TorchValue[];
    throw this.context.fault("a tuple", "a storage", identifier);
  }

  private count(value: TorchValue): number {
    if (Number.isSafeInteger(value) && Number(value) >= 0) return Number(value);
    throw this.context.fault("an element count", "a storage", value);
  }

  private whole(key: string, elements: number, dtype: TorchStorage["dtype"]): TorchStorage {
    const known = this.#byKey.get(key);
    if (!known) {
      this.context.countContainer();
      const made = new TorchStorage(key, dtype, elements, 0, elements);
      this.#byKey.set(key, made);
      return made;
    }
    if (known.dtype === dtype && known.elements === elements) return known;
    const what = `${known.elements} elements of ${known.dtype}, as before,`;
    throw this.context.fault(what, `storage ${key}`, `${elements} of ${dtype}`);
  }

  /** `(key, offset, elements)` of a view. */
  private view(whole: TorchStorage, view: TorchValue): TorchStorage {
    const [, offset = null, length = null] = this.fields(view);
    const [begin, elements] = [this.count(offset), this.count(length)];
    if (begin + elements <= whole.elements) {
      return new TorchStorage(whole.key, whole.dtype, whole.elements, begin, elements);
    }
    const what = `a view of at most ${whole.elements} elements`;
    throw this.context.fault(what, `storage ${whole.key}`, begin + elements);
  }
}

/** Bytes of a whole storage in its file. */
export function storageBytes({ elements, dtype }: TorchStorage): number {
  return elements * bytesOf(dtype);
}
