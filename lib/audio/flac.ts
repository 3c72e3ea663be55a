import { createHash } from "node:crypto";
import { fault, unwritable } from "./fault.js";
import { decodeFrames } from "./flac-decoder.js";
import { md5Range, readFlacHeader, type FlacHeader } from "./flac-header.js";
import { quantise } from "./pcm.js";
import { fromTags, toTags, vorbisNames } from "./tags.js";
import type { AudioClip, AudioFileInfo, AudioMetadata } from "./types.js";

/** Rates that the encoder offers. */
const sampleRates: readonly number[] = [
  8000, 16000, 22050, 24000, 32000, 44100, 48000, 88200, 96000, 176400, 192000,
];
const mostChannels = 8;
const longestComment = 2 ** 24 - 2 ** 16;

/** Encode in a worker thread as 16 or 24 bits, with Vorbis comments and the MD5 of the samples. */
export async function encodeFlac(
  clip: AudioClip,
  metadata: AudioMetadata,
  options: { readonly path: string; readonly bits: 16 | 24 },
): Promise<Uint8Array> {
  const { path, bits } = options;
  const tags = toTags(metadata, vorbisNames);
  check(clip, tags, path);
  const samples = quantise(clip.channels, bits);
  const md5 = md5Of(samples, bits);
  const file = await mux(clip, samples, tags);
  file.set(md5, md5Range.start);
  return file;
}

function check(clip: AudioClip, tags: ReadonlyMap<string, string>, path: string): void {
  if (!sampleRates.includes(clip.sampleRate)) {
    throw unwritable(path, `a FLAC sample rate of ${sampleRates.join(", ")}`, `${clip.sampleRate}`);
  }
  const count = clip.channels.length;
  if (count > mostChannels) throw unwritable(path, "1..8 FLAC channels", `${count}`);
  if ((clip.channels[0]?.length ?? 0) === 0) throw unwritable(path, "at least one sample", "none");
  const bytes = [...tags.values()].reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  if (bytes > longestComment) throw unwritable(path, "less than 16 MiB of metadata", `${bytes}`);
}

/** The digest that STREAMINFO holds: samples interleaved, little-endian, in whole bytes. */
function md5Of(samples: Int16Array<ArrayBuffer> | Int32Array<ArrayBuffer>, bits: number): Buffer {
  const hash = createHash("md5");
  const width = Math.ceil(bits / 8);
  if (width === 2 && samples instanceof Int16Array) return hash.update(samples).digest();
  const packed = Buffer.alloc(samples.length * width);
  samples.forEach((sample, i) => packed.writeIntLE(sample, i * width, width));
  return hash.update(packed).digest();
}

async function mux(
  clip: AudioClip,
  samples: Int16Array<ArrayBuffer> | Int32Array<ArrayBuffer>,
  tags: ReadonlyMap<string, string>,
): Promise<Uint8Array> {
  const { AudioSample, AudioSampleSource, BufferTarget, FlacOutputFormat, Output } =
    await import("mediabunny");
  const { registerFlacEncoder } = await import("@mediabunny/flac-encoder");
  registerFlacEncoder();
  const target = new BufferTarget();
  const output = new Output({ format: new FlacOutputFormat(), target });
  const source = new AudioSampleSource({ codec: "flac" });
  output.addAudioTrack(source, {});
  output.setMetadataTags({ raw: Object.fromEntries(tags) });
  await output.start();
  const is16 = samples instanceof Int16Array;
  const sample = new AudioSample({
    data: is16 ? samples : samples.map((value) => value * 256), // 24 bits sit at the top of 32
    format: is16 ? "s16" : "s32",
    numberOfChannels: clip.channels.length,
    sampleRate: clip.sampleRate,
    timestamp: 0,
  });
  await source.add(sample);
  sample.close();
  await output.finalize();
  return new Uint8Array(target.buffer ?? new ArrayBuffer(0));
}

/** Read rate, channels, length and tags. @throws E_AUDIO */
export function inspectFlac(bytes: Uint8Array, path: string): AudioFileInfo {
  const { sampleRate, channelCount, bitDepth, sampleCount, tags } = readFlacHeader(bytes, path);
  const metadata = fromTags(tags, vorbisNames);
  const seconds = sampleCount / sampleRate;
  return { format: "flac", sampleRate, channelCount, bitDepth, sampleCount, seconds, metadata };
}

/** Decode and verify the sample count and MD5 that the file states. @throws E_AUDIO */
export async function decodeFlac(bytes: Uint8Array, path: string): Promise<AudioClip> {
  const header = readFlacHeader(bytes, path);
  const frames = await splitFrames(bytes, header, path);
  const decoded = await decodeFrames(frames).catch((error: unknown) => {
    throw fault(path, "its frames are damaged", error);
  });
  const { channelData, samplesDecoded, errors } = decoded;
  if (errors.length > 0) throw fault(path, `it is damaged: ${errors[0]?.message ?? "unknown"}`);
  if (header.sampleCount > 0 && samplesDecoded !== header.sampleCount) {
    const stated = `${samplesDecoded} of ${header.sampleCount} samples can be decoded`;
    throw fault(path, `it is cut off or damaged: ${stated}`);
  }
  return toClip(channelData, header, path);
}

/**
 * Cut the stream into frames. The demuxer leaves a very short last frame out, so what follows the
 * frames that it finds is one more.
 */
async function splitFrames(
  bytes: Uint8Array,
  header: FlacHeader,
  path: string,
): Promise<Uint8Array[]> {
  const { BufferSource, EncodedPacketSink, FLAC, Input } = await import("mediabunny");
  const frames: Uint8Array[] = [];
  let end = header.audioStart;
  try {
    const input = new Input({ formats: [FLAC], source: new BufferSource(bytes) });
    const track = await input.getPrimaryAudioTrack();
    if (track) {
      for await (const packet of new EncodedPacketSink(track).packets()) {
        frames.push(packet.data);
        end += packet.data.length;
      }
    }
  } catch (error) {
    throw fault(path, "its frames are damaged", error);
  }
  if (end < bytes.length) frames.push(bytes.subarray(end));
  if (frames.length === 0) throw fault(path, "it holds no frames");
  return frames;
}

/** Undo the decoder's scaling (full scale is 2^(bits-1) - 1) and check the digest. */
function toClip(data: readonly Float32Array[], header: FlacHeader, path: string): AudioClip {
  const { bitDepth, sampleRate, channelCount, md5 } = header;
  if (data.length !== channelCount) throw fault(path, "its frames disagree about the channels");
  const scale = 2 ** (bitDepth - 1);
  const length = data[0]?.length ?? 0;
  const isWide = bitDepth > 16;
  const integers = isWide
    ? new Int32Array(length * channelCount)
    : new Int16Array(length * channelCount);
  const channels = data.map((channel, c) =>
    channel.map((value, i) => {
      const level = Math.round(value * (scale - 1));
      integers[i * channelCount + c] = level;
      return level / scale;
    }),
  );
  if (md5 && bitDepth <= 24 && md5Of(integers, bitDepth).toString("hex") !== md5) {
    throw fault(path, "it is damaged: its samples do not match its MD5");
  }
  return { channels, sampleRate };
}
