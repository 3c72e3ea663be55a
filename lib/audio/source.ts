import { randomUUID } from "node:crypto";
import { createWriteStream } from "node:fs";
import { rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setImmediate } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { MusicLDMError, expected } from "../runtime/errors.js";
import { throwIfAborted } from "../runtime/native.js";
import { checkChoice, choose } from "./decoder/mix.js";
import type { AudioProbe, SampleRange } from "./decoder/protocol.js";
import { DecodingSession } from "./decoder/session.js";
import { damage } from "./fault.js";
import { checkClip } from "./pcm.js";
import type { AudioClip } from "./types.js";
import { ioError } from "./whole.js";

/**
 * Audio in any form: the path or `file:` URL of a file, the bytes of a file, a stream of them, mono
 * samples in ±1, or a clip.
 */
export type AudioInput = string | URL | Uint8Array | Readable | Float32Array | AudioClip;

/** Audio that is open. */
export interface AudioSource extends AsyncDisposable {
  /** What errors call it. */
  readonly name: string;
  readonly info: AudioProbe;
  read(range: SampleRange): AsyncIterable<readonly Float32Array[]>;
}

export interface OpenOptions {
  /** Sample rate of a Float32Array. */
  readonly inputSampleRate: number;
  readonly signal?: AbortSignal | undefined;
}

/** Samples of one piece of a clip: what is mixed between two turns of the event loop. */
const pieceSamples = 2 ** 16;

/** Keep a stream that fails while its turn has not come from ending the process. */
export function watch(input: AudioInput): void {
  if (input instanceof Readable) input.on("error", () => undefined);
}

/** Open audio in any form. @throws E_ARGUMENT, E_AUDIO, E_IO, E_ABORTED */
export async function openAudio(input: AudioInput, options: OpenOptions): Promise<AudioSource> {
  const { inputSampleRate: sampleRate, signal } = options;
  throwIfAborted(signal);
  if (input instanceof Float32Array) return clipSource({ channels: [input], sampleRate }, signal);
  if (typeof input === "string" || input instanceof URL) return openFile(pathOf(input), signal);
  if (input instanceof Uint8Array) return openBytes(input, signal);
  if (input instanceof Readable) return openStream(input, signal);
  const given: unknown = input;
  if (isClip(given)) return clipSource(given, signal);
  const what = "a path, a file: URL, bytes, a stream, a Float32Array or a clip";
  throw expected("E_ARGUMENT", what, "audio", given);
}

function isClip(value: unknown): value is AudioClip {
  if (typeof value !== "object" || value === null) return false;
  const { channels } = value as Partial<AudioClip>;
  return Array.isArray(channels) && channels.every((item) => item instanceof Float32Array);
}

function clipSource(clip: AudioClip, signal: AbortSignal | undefined): AudioSource {
  checkClip(clip);
  const { channels, sampleRate } = clip;
  const length = channels[0]?.length ?? 0;
  if (length === 0) throw damage("the clip", "it holds no samples");
  const seconds = length / sampleRate;
  const channelCount = channels.length;
  return {
    name: "the clip",
    info: { container: "raw", codec: "pcm_f32le", sampleRate, channelCount, seconds, tags: {} },
    async *read(range) {
      checkChoice(range.channels, channelCount);
      const last = Math.min(range.end, length);
      for (let at = range.start; at < last; at += pieceSamples) {
        throwIfAborted(signal);
        const end = Math.min(at + pieceSamples, last);
        const piece = channels.map((channel) => channel.subarray(at, end));
        yield choose(piece, range.channels);
        await setImmediate();
      }
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
}

function pathOf(input: string | URL): string {
  if (typeof input === "string") return input;
  try {
    return fileURLToPath(input);
  } catch {
    throw expected("E_ARGUMENT", "a file: URL", "audio", input.href);
  }
}

async function openFile(path: string, signal: AbortSignal | undefined): Promise<AudioSource> {
  const found = await stat(path).catch((error: unknown) => {
    throw ioError("read", path, error);
  });
  if (!found.isFile()) {
    const kind = found.isDirectory() ? "a folder" : "no regular file";
    throw new MusicLDMError("E_IO", `Cannot read ${path}: it is ${kind}`, { path });
  }
  if (found.size === 0) throw damage(path, "it is empty");
  const session = await DecodingSession.open({ path: resolve(path), name: path }, signal);
  return sourceOf(session, path, () => session[Symbol.asyncDispose]());
}

function sourceOf(session: DecodingSession, name: string, close: () => Promise<void>): AudioSource {
  const { info } = session;
  return { name, info, read: (range) => session.read(range), [Symbol.asyncDispose]: close };
}

async function openBytes(bytes: Uint8Array, signal: AbortSignal | undefined): Promise<AudioSource> {
  const name = `${bytes.length} bytes`;
  if (bytes.length === 0) throw damage(name, "it is empty");
  return openSpooled(
    name,
    (path) => writeFile(path, bytes, { flag: "wx", mode: 0o600, signal }),
    signal,
  );
}

async function openStream(stream: Readable, signal: AbortSignal | undefined): Promise<AudioSource> {
  const name = "the stream";
  let size = 0;
  const write = async (path: string): Promise<void> => {
    const target = createWriteStream(path, { flags: "wx", mode: 0o600 });
    await pipeline(stream, bytesOf, target, signal ? { signal } : {});
    size = target.bytesWritten;
  };
  const source = await openSpooled(name, write, signal, () => {
    if (size === 0) throw damage(name, "it is empty");
  });
  return source;
}

/** Pass on what a file can hold: a stream of objects would end the process in the writer. */
async function* bytesOf(chunks: AsyncIterable<unknown>): AsyncGenerator<string | Uint8Array> {
  for await (const chunk of chunks) {
    if (typeof chunk === "string" || chunk instanceof Uint8Array) yield chunk;
    else throw expected("E_ARGUMENT", "a stream of bytes", "audio", chunk);
  }
}

/** Decoders seek, so bytes from elsewhere wait in a temporary file that goes with the source. */
async function openSpooled(
  name: string,
  write: (path: string) => Promise<void>,
  signal: AbortSignal | undefined,
  check: () => void = () => undefined,
): Promise<AudioSource> {
  const path = join(tmpdir(), `musicldm-audio-${process.pid}-${randomUUID()}`);
  const remove = (): Promise<void> => rm(path, { force: true });
  try {
    await write(path).catch((error: unknown) => {
      throwIfAborted(signal);
      if (error instanceof MusicLDMError) throw error;
      throw ioError("keep", `${name} in ${path}`, error);
    });
    check();
    const session = await DecodingSession.open({ path, name }, signal);
    return sourceOf(session, name, async () => {
      await session[Symbol.asyncDispose]();
      await remove();
    });
  } catch (error) {
    await remove();
    throw error;
  }
}
