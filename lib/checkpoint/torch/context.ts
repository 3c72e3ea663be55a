import { expected } from "../../runtime/errors.js";
import type { MusicLDMError } from "../../runtime/errors.js";
import { describe } from "./values.js";
import type { TorchValue } from "./values.js";

/** Bytes of a pickle; data lies outside it, so that real ones have a few megabytes at most. */
export const maxPickleBytes = 128 * 1024 * 1024;

/** Dictionaries, lists, tuples and objects of a file. */
const maxContainers = 500_000;

/** Bytes that values made from other values may take, beyond a multiple of what was read. */
const freeCopies = 1024 * 1024;

/** One file that is being read: its name for messages, and what its pickles have used up. */
export class ReadContext {
  #containers = 0;
  #copied = 0;
  /** Bytes of pickle that were read. */
  consumed = 0;

  constructor(readonly path: string) {}

  /** Make the error "Expected <what> for <name> in <path> but received <received>". */
  fault(what: string, name: string, received: TorchValue): MusicLDMError {
    const place = `${name} in ${this.path}`;
    return expected("E_CHECKPOINT", what, place, describe(received), { file: this.path });
  }

  countContainer(): void {
    if (++this.#containers <= maxContainers) return;
    throw this.fault(`at most ${maxContainers} containers`, "the pickle", "more");
  }

  /** Account for a copy of `bytes`: a file must not grow by more than a small factor. */
  countCopy(bytes: number): void {
    this.#copied += bytes;
    if (this.#copied <= freeCopies + 16 * this.consumed) return;
    throw this.fault("values in proportion to the file", "the pickle", "copies of copies");
  }
}
