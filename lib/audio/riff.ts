import { fault } from "./fault.js";

/** A chunk of a RIFF file; `data` is a view into the file. */
export interface RiffChunk {
  readonly id: string;
  readonly data: Uint8Array;
}

const unknownLength = 0xffff_ffff;

function fourCharacters(bytes: Uint8Array, offset: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + offset, 4).toString("latin1");
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Whether the file starts as a WAV file does. */
export function isWave(bytes: Uint8Array): boolean {
  if (bytes.length < 12) return false;
  return fourCharacters(bytes, 0) === "RIFF" && fourCharacters(bytes, 8) === "WAVE";
}

/**
 * Split the body of a RIFF file or of a LIST chunk into chunks.
 *
 * A last `data` chunk of unknown length (a file that was written to a pipe) reaches to the end.
 * @throws E_AUDIO for a chunk that ends beyond its parent
 */
export function readChunks(bytes: Uint8Array, start: number, path: string): RiffChunk[] {
  const view = viewOf(bytes);
  const chunks: RiffChunk[] = [];
  for (let offset = start; offset + 8 <= bytes.length;) {
    const id = fourCharacters(bytes, offset);
    const stated = view.getUint32(offset + 4, true);
    const rest = bytes.length - offset - 8;
    const length = id === "data" && stated === unknownLength ? rest : stated;
    if (length > rest) {
      const name = JSON.stringify(id);
      throw fault(path, `it is cut off: chunk ${name} states ${length} bytes and ${rest} follow`);
    }
    chunks.push({ id, data: bytes.subarray(offset + 8, offset + 8 + length) });
    offset += 8 + length + (length % 2);
  }
  return chunks;
}

/** Build a chunk; its data is padded to an even length. */
export function writeChunk(id: string, ...parts: readonly Uint8Array[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const header = Buffer.alloc(8);
  header.write(id, "latin1");
  header.writeUInt32LE(length, 4);
  return Buffer.concat([header, ...parts, Buffer.alloc(length % 2)]);
}
