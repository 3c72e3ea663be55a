import { fault } from "./fault.js";
import { viewOf } from "./riff.js";

/** The STREAMINFO block (RFC 9639, section 8.2), and where the frames start. */
export interface FlacHeader {
  readonly sampleRate: number;
  readonly channelCount: number;
  readonly bitDepth: number;
  /** Samples per channel; 0 means unknown. */
  readonly sampleCount: number;
  /** MD5 of the decoded integers, hexadecimal; empty when the writer left it out. */
  readonly md5: string;
  readonly tags: ReadonlyMap<string, string>;
  readonly audioStart: number;
}

const streamInfoBlock = 0;
const commentBlock = 4;
/** Where a file that starts with STREAMINFO keeps its MD5. */
export const md5Range = { start: 26, end: 42 } as const;

/** Whether the file starts as a FLAC file does. */
export function isFlac(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && Buffer.from(bytes.subarray(0, 4)).toString("latin1") === "fLaC";
}

/** Read the metadata blocks. @throws E_AUDIO for a block that ends beyond the file */
export function readFlacHeader(bytes: Uint8Array, path: string): FlacHeader {
  let offset = 4;
  let info: Omit<FlacHeader, "tags" | "audioStart"> | undefined;
  const tags = new Map<string, string>();
  for (let isLast = false; !isLast;) {
    if (offset + 4 > bytes.length) throw fault(path, "it is cut off in its metadata");
    const head = viewOf(bytes).getUint32(offset);
    const length = head & 0xff_ffff;
    const kind = (head >>> 24) & 0x7f;
    isLast = head >>> 31 === 1;
    const block = bytes.subarray(offset + 4, offset + 4 + length);
    if (block.length < length) throw fault(path, "it is cut off in its metadata");
    if (kind === streamInfoBlock) info = readStreamInfo(block, path);
    if (kind === commentBlock) readComments(block, path, tags);
    offset += 4 + length;
  }
  if (!info) throw fault(path, "it has no STREAMINFO block");
  return { ...info, tags, audioStart: offset };
}

function readStreamInfo(block: Uint8Array, path: string): Omit<FlacHeader, "tags" | "audioStart"> {
  if (block.length < 34) throw fault(path, "its STREAMINFO block is too short");
  const view = viewOf(block);
  const packed = view.getUint32(10); // 20 bits rate, 3 bits channels - 1, 5 bits depth - 1
  const sampleRate = packed >>> 12;
  if (sampleRate === 0) throw fault(path, "it states a sample rate of 0");
  const md5 = Buffer.from(block.subarray(18, 34)).toString("hex");
  return {
    sampleRate,
    channelCount: ((packed >>> 9) & 7) + 1,
    bitDepth: ((packed >>> 4) & 31) + 1,
    sampleCount: (packed & 15) * 2 ** 32 + view.getUint32(14),
    md5: /^0+$/.test(md5) ? "" : md5,
  };
}

function readComments(block: Uint8Array, path: string, tags: Map<string, string>): void {
  const view = viewOf(block);
  let offset = 0;
  const next = (): string => {
    if (offset + 4 > block.length) throw fault(path, "its comments are cut off");
    const length = view.getUint32(offset, true);
    const text = block.subarray(offset + 4, offset + 4 + length);
    if (text.length < length) throw fault(path, "its comments are cut off");
    offset += 4 + length;
    return new TextDecoder().decode(text);
  };
  next(); // the vendor
  if (offset + 4 > block.length) throw fault(path, "its comments are cut off");
  const count = view.getUint32(offset, true);
  offset += 4;
  for (let i = 0; i < count; i++) {
    const comment = next();
    const equals = comment.indexOf("=");
    if (equals > 0) tags.set(comment.slice(0, equals).toUpperCase(), comment.slice(equals + 1));
  }
}
