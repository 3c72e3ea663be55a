import type { SideName, StageTimings } from "./compare.js";
import { median } from "./numbers.js";
import type { PeerName } from "./peers.js";
import type { MachineRates } from "./rates.js";
import type { StageName, Timing } from "./stages.js";

/** A peer against ours; ratios above 1: ours is faster. */
export interface Against {
  readonly peer: PeerName;
  readonly ratio: number;
  readonly byRound: readonly number[];
  /** The same of CPU time, which other processes disturb less. */
  readonly cpuRatio: number;
  /** Of the fastest rounds of both sides, which other processes disturb least. */
  readonly ofFastest: number;
}

/** Work done per second, and how much of it the machine could do at best. */
export interface Efficiency {
  readonly gflops: number;
  readonly ofFma: number;
  readonly ofProduct: number;
}

export interface StageSummary {
  readonly stage: StageName;
  readonly repeats: number;
  /** Medians. */
  readonly times: Readonly<Partial<Record<SideName, Timing>>>;
  readonly distances: Readonly<Partial<Record<SideName, number>>>;
  readonly against: readonly Against[];
  /** Against the peer with the smallest median. */
  readonly best?: Against;
  /** Multiply-adds twice, attention products included. */
  readonly gigaflop?: number;
  readonly efficiency: Readonly<Partial<Record<SideName, Efficiency>>>;
  /** Time of ours with one thread over that with all. */
  readonly scaling?: number;
  readonly estimate?: string;
  /** Every measurement, in the order of the rounds. */
  readonly measurements: Readonly<Partial<Record<SideName, readonly Timing[]>>>;
}

export function summarize(
  timings: StageTimings,
  gigaflop: number | undefined,
  machine: MachineRates,
): StageSummary {
  const { stage, repeats, sides, distances, estimate } = timings;
  const times = Object.fromEntries([...sides].map(([name, all]) => [name, medianOf(all)]));
  const against = [...sides.keys()].flatMap((name) => {
    return name === "ours" || name === "single" ? [] : [compare(name, sides)];
  });
  const wallOf = (name: SideName): number => times[name]?.wallSeconds ?? NaN;
  const [best] = [...against].sort((a, b) => wallOf(a.peer) - wallOf(b.peer));
  const single = sides.get("single");
  return {
    stage,
    repeats,
    times,
    distances: Object.fromEntries(distances),
    against,
    ...(best && { best }),
    ...(gigaflop !== undefined && { gigaflop }),
    efficiency: efficiencies(times, gigaflop, machine),
    ...(single && { scaling: median(ratios(sides.get("ours"), single, "wallSeconds")) }),
    ...(estimate !== undefined && { estimate }),
    measurements: Object.fromEntries(sides),
  };
}

function medianOf(timings: readonly Timing[]): Timing {
  const of = (key: keyof Timing): number => median(timings.map((timing) => timing[key]));
  return { wallSeconds: of("wallSeconds"), cpuSeconds: of("cpuSeconds") };
}

function compare(peer: PeerName, sides: StageTimings["sides"]): Against {
  const [ours, theirs] = [sides.get("ours"), sides.get(peer)];
  const byRound = ratios(ours, theirs, "wallSeconds");
  const cpuRatio = median(ratios(ours, theirs, "cpuSeconds"));
  const fastest = (timings: readonly Timing[] = []): number =>
    Math.min(...timings.map(({ wallSeconds }) => wallSeconds));
  const ofFastest = fastest(theirs) / fastest(ours);
  return { peer, ratio: median(byRound), byRound, cpuRatio, ofFastest };
}

/** Theirs over ours, round by round; an estimate stands against every round. */
function ratios(
  ours: readonly Timing[] = [],
  theirs: readonly Timing[] = [],
  key: keyof Timing,
): readonly number[] {
  return ours.map((timing, i) => ((theirs[i] ?? theirs[0])?.[key] ?? NaN) / timing[key]);
}

function efficiencies(
  times: Readonly<Record<string, Timing>>,
  gigaflop: number | undefined,
  { all, single }: MachineRates,
): StageSummary["efficiency"] {
  if (gigaflop === undefined) return {};
  const entries = Object.entries(times).map(([name, { wallSeconds }]) => {
    const { fmaGflops, productGflops } = name === "single" ? single : all;
    const gflops = gigaflop / wallSeconds;
    return [name, { gflops, ofFma: gflops / fmaGflops, ofProduct: gflops / productGflops }];
  });
  return Object.fromEntries(entries) as StageSummary["efficiency"];
}
