import { compareStage } from "./compare.js";
import type { Field, Rounds, SideName, StageTimings } from "./compare.js";
import { median } from "./numbers.js";
import { pipelineSteps } from "./reference.js";
import type { StageName, Timing } from "./stages.js";

const parts = [
  ["text", 2],
  ["unet", pipelineSteps],
  ["vae", 1],
  ["vocoder", 1],
] as const satisfies readonly (readonly [StageName, number])[];

/**
 * Time a generation at this library's defaults; the Python pipeline's at its own, of 200 steps, is
 * the sum of the medians of its stages.
 *
 * @param done What this run has measured; without one of the stages there is no estimate.
 */
export async function estimateDefault(
  field: Field,
  done: readonly StageTimings[],
  rounds: Rounds,
): Promise<StageTimings> {
  const ours = await compareStage("default", { ...field, peers: new Map() }, rounds);
  const sides = new Map<SideName, readonly Timing[]>(ours.sides);
  for (const peer of field.peers.keys()) sides.set(peer, [sum(peer, done)]);
  const estimate = `peers: ${pipelineSteps} x median step + VAE + vocoder + 2 texts`;
  return { ...ours, sides, estimate };
}

function sum(peer: SideName, done: readonly StageTimings[]): Timing {
  const total = (key: keyof Timing): number => {
    return parts.reduce((seconds, [stage, times]) => {
      const all = done.find((timings) => timings.stage === stage)?.sides.get(peer) ?? [];
      return seconds + times * median(all.map((timing) => timing[key]));
    }, 0);
  };
  return { wallSeconds: total("wallSeconds"), cpuSeconds: total("cpuSeconds") };
}

/** Really run the pipeline's steps, once, under the first peer; ours is at its own defaults. */
export async function runDefault(field: Field): Promise<StageTimings> {
  const peers = new Map([...field.peers].slice(0, 1));
  return compareStage("default", { ...field, peers }, { rounds: 1, steps: pipelineSteps });
}
