import { Readable } from "node:stream";
import { loadAudio, probeAudio, streamAudio } from "../audio/index.js";
import type { AudioInput } from "../audio/index.js";
import { expected } from "../runtime/errors.js";
import { throwIfAborted } from "../runtime/native.js";
import type { AudioEncoder } from "./audio-encoder.js";
import type { CheckedEmbedAudio } from "./options.js";
import type { TimedEmbedding } from "./types.js";
import { rowsOf, tensorOf, unitRows } from "./unit.js";
import { countWindows, coverWithWindows } from "./windows.js";

/** Seconds of a long file that are decoded at a time. */
const chunkSeconds = 10;

/** A part of an input on its way to the tower. */
interface Piece {
  /** Which input. */
  readonly input: number;
  readonly startSeconds: number;
  readonly endSeconds: number;
  readonly samples: Float32Array;
}

/** Embed every window of every input, in order. Errors: those of `Clap.embedAudio`. */
export async function embedWindows(
  encoder: AudioEncoder,
  inputs: readonly AudioInput[],
  options: CheckedEmbedAudio,
): Promise<readonly (readonly TimedEmbedding[])[]> {
  const found: TimedEmbedding[][] = inputs.map(() => []);
  const totalSteps = options.onProgress ? await expectWindows(encoder, inputs, options) : 0;
  let done = 0;
  const report = (windows: number): void => {
    done = Math.min(done + windows, totalSteps);
    options.onProgress?.({ stage: "audio", step: done, totalSteps });
  };
  report(0);
  for await (const batch of batchesOf(piecesOf(encoder, inputs, options), options.batchSize)) {
    throwIfAborted(options.signal);
    const rows = await embedBatch(encoder, batch, options);
    for (const [row, { input, startSeconds, endSeconds }] of batch.entries()) {
      found[input]?.push({ startSeconds, endSeconds, embedding: rows[row]! });
    }
    report(batch.length);
  }
  if (done < totalSteps) report(totalSteps);
  return found;
}

/** Count the windows that inputs will have, as far as can be said; a stream counts as one. */
async function expectWindows(
  encoder: AudioEncoder,
  inputs: readonly AudioInput[],
  options: CheckedEmbedAudio,
): Promise<number> {
  const { windows, windowSamples, hopSamples, inputSampleRate, signal } = options;
  const { sampling_rate: rate } = encoder.extractor.config;
  let total = 0;
  for (const input of inputs) {
    const isOne = windows !== "fixed" || input instanceof Readable;
    const seconds = isOne ? null : (await probeAudio(input, { inputSampleRate, signal })).seconds;
    total += countWindows(Math.ceil((seconds ?? 0) * rate), windowSamples, hopSamples);
  }
  return total;
}

async function embedBatch(
  encoder: AudioEncoder,
  batch: readonly Piece[],
  { windows, seed, signal }: CheckedEmbedAudio,
): Promise<readonly Float32Array[]> {
  const clips = batch.map(({ samples }) => samples);
  const crops = batch.map(({ input }) =>
    windows === "random"
      ? ({ window: "random", seed: (seed ?? 0) + input } as const)
      : ({ window: "start" } as const),
  );
  using embeddings =
    windows === "fixed"
      ? await encoder.encode(clips, { signal })
      : await encoder.encodeWhole(clips, crops, { signal });
  return await rowsOf(embeddings, "audio");
}

async function* piecesOf(
  encoder: AudioEncoder,
  inputs: readonly AudioInput[],
  options: CheckedEmbedAudio,
): AsyncGenerator<Piece> {
  const { sampling_rate: sampleRate } = encoder.extractor.config;
  const { channels, inputSampleRate, signal, windowSamples, hopSamples } = options;
  const reading = { sampleRate, channels, inputSampleRate, signal };
  for (const [input, source] of inputs.entries()) {
    const windows =
      options.windows === "fixed"
        ? coverWithWindows(chunksOf(source, reading), windowSamples, hopSamples)
        : wholeOf(source, reading);
    let count = 0;
    for await (const { start, samples } of windows) {
      const startSeconds = start / sampleRate;
      const endSeconds = (start + samples.length) / sampleRate;
      requireFinite(samples, input);
      yield { input, startSeconds, endSeconds, samples };
      count += 1;
    }
    if (count === 0) throw expected("E_AUDIO", "at least one sample", `input ${input}`, "none");
  }
}

type Reading = Pick<CheckedEmbedAudio, "channels" | "inputSampleRate" | "signal"> & {
  readonly sampleRate: number;
};

async function* chunksOf(source: AudioInput, reading: Reading): AsyncGenerator<Float32Array> {
  for await (const { channels } of streamAudio(source, { ...reading, chunkSeconds })) {
    yield channels[0] ?? new Float32Array(0);
  }
}

async function* wholeOf(source: AudioInput, reading: Reading) {
  const { channels } = await loadAudio(source, reading);
  const samples = channels[0] ?? new Float32Array(0);
  if (samples.length > 0) yield { start: 0, samples };
}

function requireFinite(samples: Float32Array, input: number): void {
  if (samples.every(Number.isFinite)) return;
  throw expected("E_NONFINITE", "finite samples", `input ${input}`, "NaN or infinity");
}

async function* batchesOf<T>(items: AsyncIterable<T>, size: number): AsyncGenerator<readonly T[]> {
  let batch: T[] = [];
  for await (const item of items) {
    batch.push(item);
    if (batch.length < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

/** Make one embedding of unit norm out of those of a clip's windows. */
export async function poolWindows(
  windows: readonly TimedEmbedding[],
  pool: "mean" | "max",
): Promise<Float32Array> {
  const [only] = windows;
  if (only !== undefined && windows.length === 1) return only.embedding;
  using rows = await tensorOf(windows.map(({ embedding }) => embedding));
  using pooled = await (pool === "mean"
    ? rows.mean([0], { keepDim: true })
    : rows.max([0], { keepDim: true }));
  using unit = await unitRows(pooled);
  return await unit.floats();
}
