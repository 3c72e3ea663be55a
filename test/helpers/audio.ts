import { readFileSync, readdirSync } from "node:fs";
import { encodeAudio } from "../../lib/audio/files.js";
import type { AudioClip } from "../../lib/audio/types.js";

/** Files that test/reference/audio_files.py made. */
export const fixtureFolder = "test/fixtures/audio";
export const fixtures: readonly string[] = readdirSync(fixtureFolder).sort();
export const fixturePath = (name: string): string => `${fixtureFolder}/${name}`;
export const fixtureBytes = (name: string): Buffer => readFileSync(fixturePath(name));

/** A 16-bit WAV file of a clip. */
export async function wavOf(channels: readonly Float32Array[], sampleRate = 16000) {
  return encodeAudio({ channels, sampleRate }, { format: "wav" });
}

/** Noise in ±0.5 from a linear congruential generator. */
export function noise(length: number, seed = 1): Float32Array {
  let state = seed;
  return Float32Array.from({ length }, () => {
    state = (state * 1103515245 + 12345) % 2 ** 31;
    return state / 2 ** 31 - 0.5;
  });
}

/** The largest difference of two arrays; not a number unless their lengths agree. */
export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return NaN;
  let largest = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs((a[i] ?? NaN) - (b[i] ?? NaN));
    if (!(difference <= largest)) largest = difference;
  }
  return largest;
}

/** The only channel of a mono clip. */
export function mono(clip: AudioClip): Float32Array {
  const [channel, ...others] = clip.channels;
  if (!channel || others.length > 0) throw new Error(`${clip.channels.length} channels`);
  return channel;
}
