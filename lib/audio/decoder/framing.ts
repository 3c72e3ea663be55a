import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { damage } from "../fault.js";
import type { NamedFile } from "./protocol.js";

/** Reads here and there in a file. */
export class FileBytes implements Disposable {
  readonly #descriptor: number;
  readonly size: number;

  constructor(path: string) {
    this.#descriptor = openSync(path, "r");
    this.size = fstatSync(this.#descriptor).size;
  }

  /** Bytes from `offset` on; fewer where the file ends. */
  read(offset: number, length: number): Buffer {
    const bytes = Buffer.alloc(Math.max(0, Math.min(length, this.size - offset)));
    return bytes.subarray(0, readSync(this.#descriptor, bytes, 0, bytes.length, offset));
  }

  [Symbol.dispose](): void {
    closeSync(this.#descriptor);
  }
}

/**
 * Check that what the containers state about their own layout holds, which FFmpeg forgives: chunks
 * and boxes that end beyond the file, Ogg pages that are missing or damaged.
 *
 * @throws E_AUDIO with the byte offset
 */
export function checkFraming({ path, name }: NamedFile): void {
  using file = new FileBytes(path);
  const start = file.read(0, 12);
  const text = start.toString("latin1");
  if (text.startsWith("RIFF") && text.endsWith("WAVE")) return checkChunks(file, name);
  if (text.startsWith("OggS")) return checkPages(file, name);
  if (text.slice(4, 8) === "ftyp") return checkBoxes(file, name);
  if (start.length >= 4 && start.readUInt32BE(0) === 0x1a45dfa3) return checkSegment(file, name);
}

function cutOff(name: string, what: string, byteOffset: number): Error {
  return damage(name, `it is cut off: ${what} ends beyond the file`, { byteOffset });
}

function checkChunks(file: FileBytes, name: string): void {
  for (let offset = 12; offset + 8 <= file.size;) {
    const header = file.read(offset, 8);
    const id = header.toString("latin1", 0, 4);
    const length = header.readUInt32LE(4);
    const isOpen = id === "data" && (length === 0 || length === 0xffff_ffff); // written to a pipe
    if (isOpen) return;
    if (offset + 8 + length > file.size) throw cutOff(name, `its chunk "${id}"`, offset);
    offset += 8 + length + (length % 2);
  }
}

function checkBoxes(file: FileBytes, name: string): void {
  for (let offset = 0; offset + 8 <= file.size;) {
    const header = file.read(offset, 16);
    const short = header.readUInt32BE(0);
    if (short === 0) return;
    const isLong = short === 1 && header.length === 16;
    const length = isLong ? Number(header.readBigUInt64BE(8)) : short;
    if (length < 8)
      throw damage(name, "a box states a length that cannot be", { byteOffset: offset });
    const type = header.toString("latin1", 4, 8).replace(/[^ -~]/g, "?");
    if (offset + length > file.size) throw cutOff(name, `its box "${type}"`, offset);
    offset += length;
  }
}

/** An EBML number: its value without the marker, and how many bytes it takes (RFC 8794, 4). */
function ebmlLength(bytes: Buffer): { readonly value: number; readonly width: number } {
  const first = bytes[0] ?? 0;
  const width = Math.clz32(first) - 23;
  let value = first & (0xff >> width);
  let isUnknown = value === 0xff >> width;
  for (let i = 1; i < width; i++) {
    const byte = bytes[i] ?? 0;
    isUnknown &&= byte === 0xff;
    value = value * 256 + byte;
  }
  return { value: isUnknown ? Infinity : value, width };
}

function checkSegment(file: FileBytes, name: string): void {
  const head = ebmlLength(file.read(4, 8));
  const offset = 4 + head.width + head.value;
  const segment = file.read(offset, 12);
  if (segment.length < 5 || segment.readUInt32BE(0) !== 0x18538067) return;
  const { value, width } = ebmlLength(segment.subarray(4));
  if (value === Infinity) return;
  if (offset + 4 + width + value > file.size) throw cutOff(name, "its segment", offset);
}

const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte << 24;
  for (let bit = 0; bit < 8; bit++) value = (value << 1) ^ (value < 0 ? 0x04c11db7 : 0);
  return value;
});

/** CRC-32 with polynomial 0x04c11db7 from 0, as RFC 3533 has it; the field itself counts as 0. */
function pageChecksum(page: Uint8Array): number {
  let crc = 0;
  for (let i = 0; i < page.length; i++) {
    const byte = i >= 22 && i < 26 ? 0 : (page[i] ?? 0);
    crc = (crc << 8) ^ (crcTable[((crc >>> 24) ^ byte) & 0xff] ?? 0);
  }
  return crc >>> 0;
}

const longestPage = 27 + 255 + 255 * 255;
const blockBytes = 2 ** 20;

/** Walk over the pages (RFC 3533, section 6), a block at a time. */
function checkPages(file: FileBytes, name: string): void {
  let block: Buffer = Buffer.alloc(0);
  let blockStart = 0;
  for (let offset = 0; offset < file.size;) {
    if (offset + longestPage > blockStart + block.length) {
      blockStart = offset;
      block = file.read(offset, blockBytes);
    }
    const rest = block.subarray(offset - blockStart);
    if (rest.toString("latin1", 0, 4) !== "OggS") {
      throw damage(name, "a page is damaged", { byteOffset: offset });
    }
    const segments = rest.subarray(27, 27 + (rest[26] ?? 0));
    const length = 27 + segments.length + segments.reduce((sum, size) => sum + size, 0);
    const page = rest.subarray(0, length);
    if (rest.length < 27 || page.length < length) throw cutOff(name, "its last page", offset);
    if (pageChecksum(page) !== page.readUInt32LE(22)) {
      throw damage(name, "a page does not match its checksum", { byteOffset: offset });
    }
    offset += length;
  }
}
