import type { FileBytes } from "./framing.js";

/** Samples at 48 kHz in an Opus packet (RFC 6716, section 3.1). */
export function opusSamples(packet: Uint8Array): number {
  const toc = packet[0] ?? 0;
  const config = toc >> 3;
  const code = toc & 3;
  const frames = code === 0 ? 1 : code < 3 ? 2 : (packet[1] ?? 0) & 63;
  if (config < 12) return frames * ([480, 960, 1920, 2880][config & 3] ?? 0); // SILK
  if (config < 16) return frames * (config % 2 === 0 ? 480 : 960); // hybrid
  return frames * (120 << (config & 3)); // CELT
}

/** Samples that an Opus decoder drops first (RFC 7845, section 5.1). */
export function opusPreskip(header: Buffer | null): number | undefined {
  return header && header.length >= 12 ? header.readUInt16LE(10) : undefined;
}

/** By how much FFmpeg's decoder is late where it resamples from a lower rate. */
export const opusDelay = 24;

/** Frames of an MP3 file by the Xing or Info header in its first frame; undefined without one. */
export function xingFrames(file: FileBytes): number | undefined {
  const id3 = file.read(0, 10);
  const hasTag = id3.toString("latin1", 0, 3) === "ID3" && id3.length === 10;
  const tagBytes = [6, 7, 8, 9].reduce((sum, at) => sum * 128 + ((id3[at] ?? 0) & 127), 0);
  const frame = file.read(hasTag ? 10 + tagBytes : 0, 256);
  const at = Math.max(frame.indexOf("Xing", 0, "latin1"), frame.indexOf("Info", 0, "latin1"));
  if (at < 0 || at + 12 > frame.length) return undefined;
  const hasCount = (frame.readUInt32BE(at + 4) & 1) === 1;
  return hasCount ? frame.readUInt32BE(at + 8) : undefined;
}

/** Whether bytes between two frames are tags or padding rather than damage. */
export function isFiller(bytes: Buffer): boolean {
  const start = bytes.toString("latin1", 0, 3);
  return ["ID3", "TAG", "APE", "LYR"].includes(start) || bytes.every((byte) => byte === 0);
}
