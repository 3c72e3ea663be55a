import { readAudio } from "../../lib/audio/files.js";
import { downmix } from "../../lib/audio/pcm.js";
import type { AudioInput } from "../../lib/audio/index.js";
import type { SearchModel, TimelineOptions } from "../../lib/clap/search-model.js";
import type { TimedEmbedding } from "../../lib/clap/types.js";

const bands = 24;

/** Energies of a window at 24 frequencies an octave third apart, as a vector of unit norm. */
function embed(samples: Float32Array, sampleRate: number): Float32Array {
  const energies = Float64Array.from({ length: bands }, (_, band) => {
    const turn = (2 * Math.PI * 100 * 2 ** (band / 4)) / sampleRate;
    const factor = 2 * Math.cos(turn);
    let [last, before] = [0, 0];
    for (const sample of samples) [last, before] = [sample + factor * last - before, last];
    return Math.sqrt(Math.abs(last * last + before * before - factor * last * before)) + 1e-3;
  });
  const norm = Math.hypot(...energies);
  return Float32Array.from(energies, (energy) => energy / norm);
}

/** A model that hears spectra and reads nothing: it counts what it was given. */
export class BandModel implements SearchModel {
  readonly embeddingSize = bands;
  readonly fingerprint: string;
  /** Clips that it was asked for, in order. */
  readonly heard: AudioInput[] = [];

  constructor(fingerprint = "bands") {
    this.fingerprint = fingerprint;
  }

  /** A text such as "440 Hz" is a sine. */
  async embedText(texts: readonly string[]): Promise<readonly Float32Array[]> {
    return texts.map((text) => embed(sine(parseFloat(text), 0.5, 16000), 16000));
  }

  async embedAudio(
    inputs: readonly AudioInput[],
    { windowSeconds = 2, hopSeconds = windowSeconds / 2, signal }: TimelineOptions,
  ): Promise<readonly (readonly TimedEmbedding[])[]> {
    return await Promise.all(
      inputs.map(async (input) => {
        signal?.throwIfAborted();
        const clip = typeof input === "string" ? await readAudio(input) : (input as Clip);
        this.heard.push(input);
        return timeline(downmix(clip), clip.sampleRate, windowSeconds, hopSeconds);
      }),
    );
  }
}

type Clip = Awaited<ReturnType<typeof readAudio>>;

function timeline(
  samples: Float32Array,
  rate: number,
  length: number,
  hop: number,
): TimedEmbedding[] {
  const end = samples.length / rate;
  const count = Math.max(1, Math.ceil((end - length) / hop - 1e-9) + 1);
  return Array.from({ length: count }, (_, i) => {
    const startSeconds = Math.max(0, Math.min(i * hop, end - length));
    const endSeconds = Math.min(end, startSeconds + length);
    const part = samples.subarray(Math.round(startSeconds * rate), Math.round(endSeconds * rate));
    return { startSeconds, endSeconds, embedding: embed(part, rate) };
  });
}

/** A tone of amplitude 0.5. */
export function sine(hertz: number, seconds: number, sampleRate: number): Float32Array {
  return Float32Array.from({ length: Math.round(seconds * sampleRate) }, (_, n) => {
    return 0.5 * Math.sin((2 * Math.PI * hertz * n) / sampleRate);
  });
}
