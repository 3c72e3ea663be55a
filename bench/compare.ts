import { setTimeout as sleep } from "node:timers/promises";
import type { Contender, StageName, Timing, Work } from "./stages.js";

/** Threads of a finished parallel region spin for a moment; they must not meet the next run. */
const pauseMilliseconds = 50;
/** Short stages are repeated until a measurement takes this long. */
const leastSeconds = 1;

export interface Rounds {
  readonly rounds: number;
  readonly steps: number;
}

/** What all rounds of one stage gave. */
export interface StageResult {
  readonly stage: StageName;
  readonly repeats: number;
  readonly ours: readonly Timing[];
  readonly reference?: readonly Timing[];
  /** Reference over ours on the clock, round by round: above 1 we are faster. */
  readonly ratios?: readonly number[];
  /** The same of CPU time, which other processes disturb less. */
  readonly cpuRatios?: readonly number[];
  /** Norm of the difference of both outputs over the norm of the reference's. */
  readonly relativeError?: number;
}

/** Time a stage: warm up, then ours and the reference in turn. */
export async function compareStage(
  stage: StageName,
  ours: Contender,
  reference: Contender | undefined,
  { rounds, steps }: Rounds,
): Promise<StageResult> {
  const contenders = reference ? [ours, reference] : [ours];
  const repeats = await warmUp(stage, contenders);
  const timings: Timing[][] = contenders.map(() => []);
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, contender] of contenders.entries()) {
      await sleep(pauseMilliseconds);
      timings[index]?.push(await contender.run({ stage, repeats, steps }));
    }
  }
  const [mine = [], theirs] = timings;
  if (!reference || !theirs) return { stage, repeats, ours: mine };
  const ratiosOf = (key: keyof Timing): readonly number[] =>
    mine.map((timing, i) => (theirs[i]?.[key] ?? NaN) / timing[key]);
  const [ratios, cpuRatios] = [ratiosOf("wallSeconds"), ratiosOf("cpuSeconds")];
  const relativeError = distance(await ours.output(stage), await reference.output(stage));
  return { stage, repeats, ours: mine, reference: theirs, ratios, cpuRatios, relativeError };
}

/** Run everybody once, a generation with a single step; @returns the repeats a stage needs. */
async function warmUp(stage: StageName, contenders: readonly Contender[]): Promise<number> {
  const work: Work = { stage, repeats: 1, steps: 1 };
  for (const contender of contenders) await contender.run(work);
  if (stage === "generate") return 1;
  const { wallSeconds } = await contenders[0]!.run(work);
  return Math.max(1, Math.ceil(leastSeconds / wallSeconds));
}

/** Relative distance of the part that both have: the reference does not cut a clip to length. */
function distance(ours: Float32Array, reference: Float32Array): number {
  let [difference, norm] = [0, 0];
  ours.forEach((value, i) => {
    const expected = reference[i] ?? NaN;
    difference += (value - expected) ** 2;
    norm += expected ** 2;
  });
  return Math.sqrt(difference / norm);
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low, high] = [sorted[Math.ceil(middle) - 1] ?? NaN, sorted[Math.floor(middle)] ?? NaN];
  return (low + high) / 2;
}
