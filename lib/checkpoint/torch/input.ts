import type { FileHandle } from "node:fs/promises";
import { isUtf8 } from "node:buffer";
import { maxPickleBytes } from "./context.js";
import type { ReadContext } from "./context.js";

const firstBlock = 64 * 1024;

/** Thrown inside an operation that needs bytes which are not read yet. */
export const endOfBytes = new Error("more bytes are needed");

/** Read exactly `length` bytes, or as many as the file has. */
export async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await file.read(buffer, filled, length - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer.subarray(0, filled);
}

/**
 * A pickle inside a file, read in blocks: an operation takes its arguments before it changes
 * anything, so that one which runs out of bytes is simply run again after `extend`.
 */
export class PickleInput {
  #block: Buffer = Buffer.alloc(0);
  #blockStart: number;
  #at = 0;
  #kept = 0;

  constructor(
    private readonly file: FileHandle,
    private readonly start: number,
    private readonly end: number,
    private readonly context: ReadContext,
  ) {
    this.#blockStart = start;
  }

  /** Where the next byte lies in the file. */
  get position(): number {
    return this.#blockStart + this.#at;
  }

  /** Begin an operation. */
  keep(): void {
    this.#kept = this.#at;
  }

  /** Go back to where the operation began. */
  rewind(): void {
    this.#at = this.#kept;
  }

  /** Read another block; false at the end. */
  async extend(): Promise<boolean> {
    const rest = this.#block.subarray(this.#at);
    const next = this.#blockStart + this.#block.length;
    const wanted = Math.min(Math.max(firstBlock, 2 * rest.length), this.end - next);
    if (next - this.start + wanted > maxPickleBytes + firstBlock) {
      throw this.context.fault(`at most ${maxPickleBytes} bytes`, "the pickle", "more");
    }
    const block = wanted > 0 ? await readAt(this.file, next, wanted) : rest.subarray(0, 0);
    if (block.length === 0) return false;
    this.context.consumed += block.length;
    this.#blockStart += this.#at;
    this.#block = rest.length === 0 ? block : Buffer.concat([rest, block]);
    this.#at = this.#kept = 0;
    return true;
  }

  take(count: number): Buffer {
    const stop = this.#at + count;
    if (stop > this.#block.length) {
      if (count > this.end - this.position) throw this.truncated();
      throw endOfBytes;
    }
    const bytes = this.#block.subarray(this.#at, stop);
    this.#at = stop;
    return bytes;
  }

  truncated(): Error {
    return this.context.fault("a whole pickle", "the pickle", "an early end");
  }

  byte(): number {
    const value = this.#block[this.#at];
    if (value === undefined) throw this.position < this.end ? endOfBytes : this.truncated();
    this.#at += 1;
    return value;
  }

  uint32(): number {
    return this.take(4).readUInt32LE();
  }

  /** A length of eight bytes. */
  uint64(): number {
    const value = this.take(8).readBigUInt64LE();
    if (value <= BigInt(maxPickleBytes)) return Number(value);
    throw this.context.fault(`lengths up to ${maxPickleBytes}`, "the pickle", value);
  }

  /** The bytes up to the next newline, without it. */
  line(): Buffer {
    const stop = this.#block.indexOf(10, this.#at);
    if (stop < 0) {
      if (this.#blockStart + this.#block.length >= this.end) throw this.truncated();
      throw endOfBytes;
    }
    return this.take(stop + 1 - this.#at).subarray(0, -1);
  }

  text(count: number): string {
    const bytes = this.take(count);
    if (isUtf8(bytes)) return bytes.toString("utf8");
    throw this.context.fault("text in UTF-8", "the pickle", bytes.toString("latin1"));
  }
}
