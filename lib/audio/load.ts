import { setImmediate } from "node:timers/promises";
import { requireOptions } from "../runtime/arguments.js";
import { expected } from "../runtime/errors.js";
import { throwIfAborted } from "../runtime/native.js";
import { join } from "./decoder/mix.js";
import type { AudioProbe, ChannelChoice } from "./decoder/protocol.js";
import { damage } from "./fault.js";
import { RateConverter } from "./rate-converter.js";
import { openAudio, watch } from "./source.js";
import type { AudioInput, AudioSource } from "./source.js";
import { queued } from "./queue.js";
import type { AudioClip } from "./types.js";

export interface LoadAudioOptions {
  /** Sample rate of the result in hertz. Default: that of the source. */
  readonly sampleRate?: number | undefined;
  /** `"mono"` is the mean of the channels, a number one channel alone. Default `"mono"`. */
  readonly channels?: ChannelChoice | undefined;
  /** Sample rate of a Float32Array. Default 48000. */
  readonly inputSampleRate?: number | undefined;
  /** Where to begin. Default 0. */
  readonly startSeconds?: number | undefined;
  /** How much to read; less where the audio ends. Default: all. */
  readonly seconds?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface StreamAudioOptions extends LoadAudioOptions {
  /** Length of each clip but the last. Default 10. */
  readonly chunkSeconds?: number | undefined;
}

/** A part of a longer recording. */
export interface AudioChunk extends AudioClip {
  readonly startSeconds: number;
}

const defaultInputRate = 48_000;
const defaultChunkSeconds = 10;
const highestRate = 10_000_000;

/**
 * Read audio of any form and format, whole or in part: mixed, converted to another rate (flat to
 * 0.95 of the lower Nyquist frequency, aliases below -115 dB), from an exact sample on.
 *
 * Equals the same part of the whole audio; a damaged part is an error, never silence.
 *
 * @throws E_AUDIO (not audio, damaged: `details.seconds`, `details.byteOffset`), E_IO, E_ARGUMENT
 *   (a start behind the end, a channel that is not there), E_NONFINITE, E_ABORTED
 */
export async function loadAudio(
  input: AudioInput,
  options: LoadAudioOptions = {},
): Promise<AudioClip> {
  checkOptions(options);
  watch(input);
  return queued(options.signal, async () => {
    const pieces: (readonly Float32Array[])[] = [];
    await using source = await openAudio(input, openOptions(options));
    for await (const piece of readPieces(source, options)) pieces.push(piece);
    return { channels: await joinSlowly(pieces), sampleRate: rateOf(source, options) };
  });
}

/**
 * Read audio as `loadAudio` does, in clips of `chunkSeconds`, holding no more than a few of them.
 *
 * @throws as `loadAudio`, E_AUDIO of a damaged part when its turn comes
 */
export async function* streamAudio(
  input: AudioInput,
  options: StreamAudioOptions = {},
): AsyncGenerator<AudioChunk, void, undefined> {
  checkOptions(options);
  const { chunkSeconds = defaultChunkSeconds } = options;
  checkPositive("chunkSeconds", chunkSeconds);
  await using source = await openAudio(input, openOptions(options));
  const sampleRate = rateOf(source, options);
  const size = Math.max(1, Math.round(chunkSeconds * sampleRate));
  let position = Math.round((options.startSeconds ?? 0) * sampleRate);
  for await (const channels of regroup(readPieces(source, options), size)) {
    yield { channels, sampleRate, startSeconds: position / sampleRate };
    position += channels[0]?.length ?? 0;
  }
}

/**
 * Read what audio of any form and format says about itself, without decoding it.
 *
 * @throws E_AUDIO, E_IO, E_ARGUMENT, E_ABORTED
 */
export async function probeAudio(
  input: AudioInput,
  options: Pick<LoadAudioOptions, "inputSampleRate" | "signal"> = {},
): Promise<AudioProbe> {
  checkOptions(options);
  watch(input);
  return queued(options.signal, async () => {
    await using source = await openAudio(input, openOptions(options));
    return source.info;
  });
}

function openOptions({ inputSampleRate = defaultInputRate, signal }: LoadAudioOptions) {
  return { inputSampleRate, signal };
}

function rateOf(source: AudioSource, options: LoadAudioOptions): number {
  return options.sampleRate ?? source.info.sampleRate;
}

function checkPositive(name: string, value: number | undefined): void {
  if (value === undefined || (Number.isFinite(value) && value > 0)) return;
  throw expected("E_ARGUMENT", "a positive number", name, value);
}

function checkRate(name: string, value: number | undefined): void {
  if (value === undefined) return;
  if (Number.isInteger(value) && value >= 1 && value <= highestRate) return;
  throw expected("E_ARGUMENT", `an integer in 1..${highestRate}`, name, value);
}

function checkOptions(options: LoadAudioOptions): void {
  requireOptions(options);
  const { channels = "mono", startSeconds = 0, seconds } = options;
  checkRate("sampleRate", options.sampleRate);
  checkRate("inputSampleRate", options.inputSampleRate);
  checkPositive("seconds", seconds);
  if (!Number.isFinite(startSeconds) || startSeconds < 0) {
    throw expected("E_ARGUMENT", "a number of at least 0", "startSeconds", startSeconds);
  }
  const isChannel = typeof channels === "number" && Number.isInteger(channels) && channels >= 0;
  if (isChannel || channels === "mono" || channels === "all") return;
  throw expected("E_ARGUMENT", '"mono", "all" or a channel from 0 on', "channels", channels);
}

/** Read the wanted part at the wanted rate, in pieces of any length. */
async function* readPieces(
  source: AudioSource,
  options: LoadAudioOptions,
): AsyncGenerator<readonly Float32Array[]> {
  const { channels = "mono", startSeconds = 0, seconds = Infinity, signal } = options;
  const rate = rateOf(source, options);
  const start = Math.round(startSeconds * rate);
  const end = seconds === Infinity ? Infinity : start + Math.max(1, Math.round(seconds * rate));
  const isSame = rate === source.info.sampleRate;
  const pieces = isSame
    ? source.read({ start, end, channels })
    : convert(source, { rate, start, end, channels, signal });
  let isEmpty = true;
  for await (const piece of pieces) {
    throwIfAborted(signal);
    isEmpty = false;
    yield piece;
  }
  if (!isEmpty) return;
  if (start === 0) throw damage(source.name, "it holds no samples");
  throw expected("E_ARGUMENT", "a time before the end of the audio", "startSeconds", startSeconds);
}

interface Conversion {
  readonly rate: number;
  readonly start: number;
  readonly end: number;
  readonly channels: ChannelChoice;
  readonly signal: AbortSignal | undefined;
}

async function* convert(
  source: AudioSource,
  { rate, start, end, channels, signal }: Conversion,
): AsyncGenerator<readonly Float32Array[]> {
  const converter = new RateConverter(source.info.sampleRate, rate);
  const span = converter.begin(start, end);
  for await (const piece of source.read({ ...span, channels })) {
    const output = await converter.push(piece, signal);
    if (output.length > 0) yield output;
  }
  const rest = await converter.finish(signal);
  if (rest.length > 0) yield rest;
}

/** Cut pieces of any length into pieces of one length; the last may be shorter. */
async function* regroup(
  pieces: AsyncIterable<readonly Float32Array[]>,
  size: number,
): AsyncGenerator<readonly Float32Array[]> {
  let held: (readonly Float32Array[])[] = [];
  let length = 0;
  for await (const piece of pieces) {
    held.push(piece);
    length += piece[0]?.length ?? 0;
    if (length < size) continue;
    const joined = join(held);
    let at = 0;
    for (; at + size <= length; at += size) {
      yield joined.map((channel) => channel.slice(at, at + size));
    }
    held = [joined.map((channel) => channel.slice(at))];
    length -= at;
  }
  if (length > 0) yield join(held);
}

/** Join pieces of the same channels, giving the event loop its turn between them. */
async function joinSlowly(pieces: (readonly Float32Array[])[]): Promise<readonly Float32Array[]> {
  const total = pieces.reduce((sum, piece) => sum + (piece[0]?.length ?? 0), 0);
  const joined = (pieces[0] ?? []).map(() => new Float32Array(total));
  let offset = 0;
  let turn = 0;
  for (const piece of pieces) {
    joined.forEach((channel, c) => channel.set(piece[c] ?? [], offset));
    offset += piece[0]?.length ?? 0;
    if (++turn % 16 === 0) await setImmediate();
  }
  return joined;
}
