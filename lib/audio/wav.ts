import { fault, unwritable } from "./fault.js";
import { quantise } from "./pcm.js";
import { readChunks, viewOf, writeChunk, type RiffChunk } from "./riff.js";
import { fromTags, infoNames, toTags } from "./tags.js";
import type { AudioClip, AudioFileInfo, AudioMetadata } from "./types.js";

const integerTag = 1;
const floatTag = 3;
const extensibleTag = 0xfffe;
const longestFile = 0xffff_ffff;

/** Build a WAV file of 16-bit integers or 32-bit floats, with a LIST/INFO chunk in UTF-8. */
export function encodeWav(
  clip: AudioClip,
  metadata: AudioMetadata,
  options: { readonly path: string; readonly float: boolean },
): Buffer {
  const { path, float } = options;
  const bits = float ? 32 : 16;
  const frames = clip.channels[0]?.length ?? 0;
  const dataBytes = (frames * clip.channels.length * bits) / 8;
  if (dataBytes > longestFile - 2 ** 24) {
    throw unwritable(path, "less than 4 GiB of samples", `${dataBytes} bytes`);
  }
  const samples = float ? interleave(clip.channels) : quantise(clip.channels, 16);
  const body = [writeChunk("fmt ", formatChunk(clip, bits))];
  if (float) body.push(writeChunk("fact", uint32(frames)));
  const info = infoChunk(metadata);
  if (info) body.push(info);
  body.push(writeChunk("data", Buffer.from(samples.buffer)));
  return writeChunk("RIFF", Buffer.from("WAVE"), ...body);
}

function interleave(channels: readonly Float32Array[]): Float32Array {
  const count = channels.length;
  const samples = new Float32Array((channels[0]?.length ?? 0) * count);
  channels.forEach((channel, c) => {
    channel.forEach((sample, i) => (samples[i * count + c] = sample));
  });
  return samples;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function formatChunk(clip: AudioClip, bits: 16 | 32): Buffer {
  const frameBytes = (clip.channels.length * bits) / 8;
  const chunk = Buffer.alloc(bits === 32 ? 18 : 16);
  chunk.writeUInt16LE(bits === 32 ? floatTag : integerTag, 0);
  chunk.writeUInt16LE(clip.channels.length, 2);
  chunk.writeUInt32LE(clip.sampleRate, 4);
  chunk.writeUInt32LE((clip.sampleRate * frameBytes) % 2 ** 32, 8);
  chunk.writeUInt16LE(frameBytes % 2 ** 16, 12);
  chunk.writeUInt16LE(bits, 14);
  return chunk;
}

function infoChunk(metadata: AudioMetadata): Buffer | undefined {
  const tags = [...toTags(metadata, infoNames)];
  if (tags.length === 0) return undefined;
  const chunks = tags.map(([name, text]) => writeChunk(name, Buffer.from(`${text}\0`)));
  return writeChunk("LIST", Buffer.from("INFO"), ...chunks);
}

type SampleFormat = "integer" | "float";

interface WavHeader {
  readonly sampleFormat: SampleFormat;
  readonly channelCount: number;
  readonly sampleRate: number;
  readonly bits: number;
}

function readHeader(chunk: RiffChunk | undefined, path: string): WavHeader {
  if (!chunk || chunk.data.length < 16) throw fault(path, "it has no complete format chunk");
  const view = viewOf(chunk.data);
  const tag = view.getUint16(0, true);
  const isExtensible = tag === extensibleTag && chunk.data.length >= 40;
  const code = isExtensible ? view.getUint16(24, true) : tag;
  const header = {
    sampleFormat: code === floatTag ? ("float" as const) : ("integer" as const),
    channelCount: view.getUint16(2, true),
    sampleRate: view.getUint32(4, true),
    bits: view.getUint16(14, true),
  };
  const widths = code === integerTag ? [8, 16, 24, 32] : code === floatTag ? [32, 64] : [];
  if (!widths.includes(header.bits)) {
    throw fault(path, `its samples are of an unsupported kind (tag ${code}, ${header.bits} bits)`);
  }
  if (header.channelCount < 1) throw fault(path, "it states 0 channels");
  if (header.sampleRate < 1) throw fault(path, "it states a sample rate of 0");
  if (view.getUint16(12, true) !== (header.channelCount * header.bits) / 8) {
    throw fault(path, "its block size disagrees with its channels and sample width");
  }
  return header;
}

interface WavFile {
  readonly header: WavHeader;
  readonly data: Uint8Array;
  readonly frames: number;
  readonly chunks: readonly RiffChunk[];
}

function open(bytes: Uint8Array, path: string): WavFile {
  const chunks = readChunks(bytes, 12, path);
  const header = readHeader(
    chunks.find((chunk) => chunk.id === "fmt "),
    path,
  );
  const data = chunks.find((chunk) => chunk.id === "data")?.data;
  if (!data) throw fault(path, "it has no data chunk");
  const frames = Math.floor(data.length / ((header.channelCount * header.bits) / 8));
  return { header, data, frames, chunks };
}

/** Read rate, channels, length and tags. @throws E_AUDIO */
export function inspectWav(bytes: Uint8Array, path: string): AudioFileInfo {
  const { header, frames, chunks } = open(bytes, path);
  return {
    format: header.sampleFormat === "float" ? "wav-float" : "wav",
    sampleRate: header.sampleRate,
    channelCount: header.channelCount,
    bitDepth: header.bits,
    sampleCount: frames,
    seconds: frames / header.sampleRate,
    metadata: fromTags(readInfo(chunks, path), infoNames),
  };
}

function readInfo(chunks: readonly RiffChunk[], path: string): Map<string, string> {
  const tags = new Map<string, string>();
  for (const { id, data } of chunks) {
    if (id !== "LIST" || Buffer.from(data.subarray(0, 4)).toString("latin1") !== "INFO") continue;
    for (const entry of readChunks(data, 4, path)) {
      const end = entry.data.indexOf(0);
      tags.set(entry.id, decodeText(end < 0 ? entry.data : entry.data.subarray(0, end)));
    }
  }
  return tags;
}

/** INFO names no encoding: ours is UTF-8, older programs write Latin-1. */
function decodeText(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return Buffer.from(bytes).toString("latin1");
  }
}

/** Decode PCM of 8, 16, 24 or 32 bits, or floats of 32 or 64 bits. @throws E_AUDIO */
export function decodeWav(bytes: Uint8Array, path: string): AudioClip {
  const { header, data, frames } = open(bytes, path);
  const read = sampleReader(header, viewOf(data));
  const width = header.bits / 8;
  const stride = width * header.channelCount;
  const channels = Array.from({ length: header.channelCount }, (_, c) => {
    const samples = new Float32Array(frames);
    for (let i = 0; i < frames; i++) samples[i] = read(i * stride + c * width);
    return samples;
  });
  return { channels, sampleRate: header.sampleRate };
}

function sampleReader(header: WavHeader, view: DataView): (offset: number) => number {
  if (header.sampleFormat === "float") {
    if (header.bits === 64) return (at) => view.getFloat64(at, true);
    return (at) => view.getFloat32(at, true);
  }
  switch (header.bits) {
    case 8:
      return (at) => (view.getUint8(at) - 128) / 2 ** 7;
    case 16:
      return (at) => view.getInt16(at, true) / 2 ** 15;
    case 24:
      return (at) => (view.getUint16(at, true) + view.getInt8(at + 2) * 2 ** 16) / 2 ** 23;
    default:
      return (at) => view.getInt32(at, true) / 2 ** 31;
  }
}
