import { expected } from "../../runtime/errors.js";
import type { ChannelChoice } from "./protocol.js";

/** Check that a file has the channels that are wanted. @throws E_ARGUMENT */
export function checkChoice(choice: ChannelChoice, channelCount: number): void {
  if (typeof choice !== "number" || choice < channelCount) return;
  throw expected("E_ARGUMENT", `a channel in 0..${channelCount - 1}`, "channels", choice);
}

/** Mix or choose channels: the mean, all, or one. `channels × [T] → 1 or more × [T]` */
export function choose(
  channels: readonly Float32Array[],
  choice: ChannelChoice,
): readonly Float32Array[] {
  if (choice === "all") return channels;
  if (choice !== "mono") return channels.slice(choice, choice + 1);
  const [first, ...others] = channels;
  if (!first || others.length === 0) return channels;
  const mean = first.map((sample, i) => {
    let sum = sample;
    for (const channel of others) sum += channel[i] ?? 0;
    return sum / channels.length;
  });
  return [mean];
}

/** Join pieces of the same channels. */
export function join(pieces: readonly (readonly Float32Array[])[]): readonly Float32Array[] {
  const [first] = pieces;
  if (!first || pieces.length === 1) return first ?? [];
  const total = pieces.reduce((sum, piece) => sum + (piece[0]?.length ?? 0), 0);
  return first.map((_, c) => {
    const joined = new Float32Array(total);
    let offset = 0;
    for (const piece of pieces) {
      joined.set(piece[c] ?? new Float32Array(0), offset);
      offset += piece[0]?.length ?? 0;
    }
    return joined;
  });
}
