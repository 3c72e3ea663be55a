import { readFile } from "node:fs/promises";
import { extname } from "node:path";
import type { Writable } from "node:stream";
import { expected } from "../runtime/errors.js";
import type { MusicLDMError } from "../runtime/errors.js";
import { fault } from "./fault.js";
import { decodeFlac, encodeFlac, inspectFlac } from "./flac.js";
import { isFlac } from "./flac-header.js";
import { checkClip } from "./pcm.js";
import { isWave } from "./riff.js";
import type { AudioClip, AudioFileInfo, AudioFormat, AudioMetadata } from "./types.js";
import { decodeWav, encodeWav, inspectWav } from "./wav.js";
import { ioError, writeWhole } from "./whole.js";

export interface WriteAudioOptions {
  /** Default: by the name's extension, `.wav` (16 bits) or `.flac`. */
  readonly format?: AudioFormat | undefined;
  readonly metadata?: AudioMetadata | undefined;
  /** Bits per sample of a FLAC file. Default 16. */
  readonly flacBits?: 16 | 24 | undefined;
}

/** The format that a file's extension stands for, if any. */
export function formatOf(path: string): AudioFormat | undefined {
  const extension = extname(path).toLowerCase();
  if (extension === ".wav" || extension === ".wave") return "wav";
  return extension === ".flac" ? "flac" : undefined;
}

/** Build an audio file in memory. @throws E_AUDIO, E_NONFINITE */
export async function encodeAudio(
  clip: AudioClip,
  options: WriteAudioOptions & { readonly format: AudioFormat; readonly path?: string },
): Promise<Uint8Array> {
  const { format, metadata = {}, path = "audio", flacBits = 16 } = options;
  checkClip(clip);
  if (format === "flac") return encodeFlac(clip, metadata, { path, bits: flacBits });
  return encodeWav(clip, metadata, { path, float: format === "wav-float" });
}

/**
 * Write a WAV or FLAC file whole or not at all: under a temporary name beside it, then renamed.
 *
 * @throws E_AUDIO for a clip that the format cannot hold, E_IO for a full disk and the like
 */
export async function writeAudio(
  path: string,
  clip: AudioClip,
  options: WriteAudioOptions = {},
): Promise<void> {
  const format = options.format ?? formatOf(path);
  if (!format) throw expected("E_AUDIO", 'an extension of ".wav" or ".flac"', "path", path);
  await writeWhole(path, await encodeAudio(clip, { ...options, format, path }));
}

/** Write an audio file to a stream such as standard output, and wait until it is taken. */
export async function writeAudioTo(
  stream: Writable,
  clip: AudioClip,
  options: WriteAudioOptions = {},
): Promise<void> {
  const bytes = await encodeAudio(clip, { ...options, format: options.format ?? "wav" });
  await new Promise<void>((resolve, reject) => {
    stream.write(bytes, (error) => (error ? reject(error) : resolve()));
  }).catch((error: unknown) => {
    throw ioError("write to", "the stream", error);
  });
}

async function readBytes(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    throw ioError("read", path, error);
  }
}

function unknownKind(path: string, bytes: Uint8Array): MusicLDMError {
  if (bytes.length === 0) return fault(path, "it is empty");
  const start = Buffer.from(bytes.subarray(0, 8)).toString("hex");
  return fault(path, `it is neither: it starts with the bytes ${start}`);
}

/** Read the samples of a WAV or FLAC file of any rate. @throws E_AUDIO, E_IO */
export async function readAudio(path: string): Promise<AudioClip> {
  const bytes = await readBytes(path);
  if (isWave(bytes)) return decodeWav(bytes, path);
  if (isFlac(bytes)) return decodeFlac(bytes, path);
  throw unknownKind(path, bytes);
}

/** Read what a WAV or FLAC file says about itself, without decoding it. @throws E_AUDIO, E_IO */
export async function readAudioInfo(path: string): Promise<AudioFileInfo> {
  const bytes = await readBytes(path);
  if (isWave(bytes)) return inspectWav(bytes, path);
  if (isFlac(bytes)) return inspectFlac(bytes, path);
  throw unknownKind(path, bytes);
}

/** Read the tags of a WAV or FLAC file. @throws E_AUDIO, E_IO */
export async function readAudioMetadata(path: string): Promise<AudioMetadata> {
  return (await readAudioInfo(path)).metadata;
}
