import { setTimeout as sleep } from "node:timers/promises";
import { relativeDistance } from "./numbers.js";
import type { PeerName } from "./peers.js";
import type { Contender, StageName, Timing, Work } from "./stages.js";

/** Threads of a finished region spin for up to 30 ms; they must not meet the next run. */
const pauseMilliseconds = 100;
/** Short stages are repeated until a measurement takes this long. */
const leastSeconds = 1;
/** Above this a contender computes something else, and its time means nothing. */
const mostDifferent = 1e-3;

/** Everybody who is timed. */
export interface Field {
  readonly ours: Contender;
  /** Ours with one thread, where scaling is measured. */
  readonly single: Contender | undefined;
  readonly peers: ReadonlyMap<PeerName, Contender>;
  /** Called once a round. */
  readonly betweenRounds: () => Promise<void>;
}

export interface Rounds {
  readonly rounds: number;
  readonly steps: number;
}

export type SideName = "ours" | "single" | PeerName;

/** What all rounds of one stage gave. */
export interface StageTimings {
  readonly stage: StageName;
  readonly repeats: number;
  /** In the order of the rounds. */
  readonly sides: ReadonlyMap<SideName, readonly Timing[]>;
  /** Relative distance of each output from that of the first peer, before timing. */
  readonly distances: ReadonlyMap<SideName, number>;
  /** How a time that was not measured came about. */
  readonly estimate?: string;
}

/** Time a stage: warm up, compare outputs, then everybody in turn. */
export async function compareStage(
  stage: StageName,
  field: Field,
  { rounds, steps }: Rounds,
): Promise<StageTimings> {
  const sides = sidesOf(stage, field);
  const repeats = await warmUp(stage, sides);
  const distances = stage === "default" ? new Map() : await compareOutputs(stage, sides);
  const timings = new Map<SideName, Timing[]>([...sides.keys()].map((name) => [name, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (const [name, contender] of sides) {
      await sleep(pauseMilliseconds);
      timings.get(name)?.push(await contender.run({ stage, repeats, steps }));
    }
    await field.betweenRounds();
  }
  return { stage, repeats, sides: timings, distances };
}

function sidesOf(stage: StageName, { ours, single, peers }: Field): Map<SideName, Contender> {
  const sides = new Map<SideName, Contender>([["ours", ours]]);
  const isWhole = stage === "generate" || stage === "default";
  if (single && !isWhole) sides.set("single", single);
  for (const [name, peer] of peers) sides.set(name, peer);
  return sides;
}

/** Run everybody once, a generation with a single step; @returns the repeats a stage needs. */
async function warmUp(stage: StageName, sides: ReadonlyMap<SideName, Contender>): Promise<number> {
  const work: Work = { stage, repeats: 1, steps: 1 };
  for (const contender of sides.values()) await contender.run(work);
  if (stage === "generate" || stage === "default") return 1;
  const { wallSeconds } = (await sides.get("ours")?.run(work)) ?? { wallSeconds: NaN };
  return Math.max(1, Math.ceil(leastSeconds / wallSeconds));
}

async function compareOutputs(
  stage: StageName,
  sides: ReadonlyMap<SideName, Contender>,
): Promise<ReadonlyMap<SideName, number>> {
  const outputs = new Map<SideName, Float32Array>();
  for (const [name, contender] of sides) outputs.set(name, await contender.output(stage));
  const [reference] = [...outputs].filter(([name]) => name !== "ours" && name !== "single");
  const distances = new Map<SideName, number>();
  if (!reference) return distances;
  for (const [name, output] of outputs) {
    const distance = relativeDistance(output, reference[1]);
    distances.set(name, distance);
    if (distance <= mostDifferent) continue;
    throw new Error(
      `Expected the output of ${reference[0]} for ${stage} but ${name} is ${distance} away`,
    );
  }
  return distances;
}
