import { MusicLDMError, expected } from "../runtime/errors.js";
import type { AudioClip } from "./types.js";

/** Check that a clip has channels of one length and finite samples. @throws E_AUDIO, E_NONFINITE */
export function checkClip(clip: AudioClip): void {
  const { channels, sampleRate } = clip;
  if (!Number.isInteger(sampleRate) || sampleRate < 1 || sampleRate > 0xffff_ffff) {
    throw expected("E_AUDIO", "a positive integer", "sampleRate", sampleRate);
  }
  if (channels.length < 1 || channels.length > 0xffff) {
    throw expected("E_AUDIO", "1..65535 channels", "clip", channels.length);
  }
  const lengths = channels.map((channel) => channel.length);
  if (new Set(lengths).size > 1) {
    throw expected("E_AUDIO", "channels of one length", "clip", lengths);
  }
  channels.forEach((channel, index) => {
    const at = channel.findIndex((sample) => !Number.isFinite(sample));
    if (at < 0) return;
    const where = `channel ${index} but received ${channel[at]} at sample ${at}`;
    throw new MusicLDMError("E_NONFINITE", `Expected finite samples for ${where}`, {
      stage: "audio",
      channel: index,
      sample: at,
    });
  });
}

/** Interleave channels as integers of `bits`: ±1 is full scale, rounded to nearest, clipped. */
export function quantise(
  channels: readonly Float32Array[],
  bits: 16 | 24,
): Int16Array<ArrayBuffer> | Int32Array<ArrayBuffer> {
  const count = channels.length;
  const length = channels[0]?.length ?? 0;
  const scale = 2 ** (bits - 1);
  const samples = bits === 16 ? new Int16Array(length * count) : new Int32Array(length * count);
  channels.forEach((channel, c) => {
    for (let i = 0; i < length; i++) {
      const level = Math.round((channel[i] ?? 0) * scale);
      samples[i * count + c] = Math.min(scale - 1, Math.max(-scale, level));
    }
  });
  return samples;
}

/** Mix to mono: the mean of the channels. `channels × [T] → [T]` */
export function downmix(clip: AudioClip): Float32Array {
  const [first, ...others] = clip.channels;
  if (!first) throw expected("E_AUDIO", "at least one channel", "clip", 0);
  if (others.length === 0) return first;
  return first.map((sample, i) => {
    let sum = sample;
    for (const channel of others) sum += channel[i] ?? 0;
    return sum / clip.channels.length;
  });
}
