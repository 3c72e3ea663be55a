import type { BetaSchedule, NoiseSchedule } from "../schedule.js";
import type { SigmaSpacing, TimestepSpacing } from "../spacing.js";

export const solverNames = [
  "ddim",
  "pndm",
  "lms",
  "euler",
  "euler-ancestral",
  "heun",
  "dpmsolver++",
  "dpmsolver++-sde",
  "unipc",
] as const;

export type SolverName = (typeof solverNames)[number];

/** What the network predicts; converted to the clean sample by the runner. */
export type PredictionType = "epsilon" | "v_prediction" | "sample";

/** state = alpha · clean + sigma · noise; not normalised: σ-space solvers have alpha 1. */
export interface NoiseLevel {
  readonly alpha: number;
  readonly sigma: number;
}

/** One linear combination of registers, written to `target` after all terms are read. */
export interface Update {
  readonly target: string;
  readonly terms: readonly { readonly register: string; readonly coefficient: number }[];
}

/**
 * One network evaluation. Registers are `"x"` (the state), `"denoised"` (the clean sample as
 * predicted by this evaluation), `"noise"` (unit noise, fresh in this step) and what a solver
 * keeps from step to step.
 */
export interface SolverStep {
  /** What the network is told; may be fractional. */
  readonly timestep: number;
  /** Level of `"x"` when the network sees it; the network gets x / √(alpha² + sigma²). */
  readonly level: NoiseLevel;
  /** Run in order once `"denoised"` is known. */
  readonly updates: readonly Update[];
}

/** All that a sampling loop needs, in plain float64 numbers. */
export interface SolverPlan {
  /** x = initialScale · unit noise, when the run starts at step 0. */
  readonly initialScale: number;
  /** Level of `"x"` before the first of `steps`, for a run that starts from a noised source. */
  readonly startLevel: NoiseLevel;
  readonly steps: readonly SolverStep[];
  /** Network evaluations per reported step. */
  readonly order: 1 | 2;
  /** Level of `"x"` after the last step. */
  readonly finalLevel: NoiseLevel;
}

/** Everything that a solver reads: the call's settings and those of the scheduler config. */
export interface SolverSettings {
  readonly steps: number;
  /** Steps of the grid that are skipped; the solver's history begins there. */
  readonly startStep: number;
  readonly eta: number;
  readonly spacing: TimestepSpacing;
  readonly stepsOffset: number;
  readonly sigmas: SigmaSpacing | undefined;
  readonly finalSigma: "zero" | "sigma_min";
  readonly setAlphaToOne: boolean;
  readonly solverOrder: number;
  readonly solverType: "midpoint" | "heun" | "bh1" | "bh2";
  readonly lowerOrderFinal: boolean;
  readonly eulerAtFinal: boolean;
  readonly disabledCorrectors: readonly number[];
  readonly lambdaMinClipped: number;
  readonly betaSchedule: BetaSchedule;
  readonly predictionType: PredictionType;
}

/** A solver: noise levels in, update coefficients out. */
export type Solver = (schedule: NoiseSchedule, settings: SolverSettings) => SolverPlan;

/** Write an update as `update("x", { x: a, denoised: b })`; zero terms are left out. */
export function update(target: string, coefficients: Readonly<Record<string, number>>): Update {
  const terms = Object.entries(coefficients)
    .filter(([, coefficient]) => coefficient !== 0)
    .map(([register, coefficient]) => ({ register, coefficient }));
  return { target, terms };
}

/** Shift a history by one: `shift(["denoised", "denoised1", "denoised2"])` ages each by a step. */
export function shift(registers: readonly string[]): Update[] {
  return registers
    .slice(1)
    .map((target, i) => update(target, { [registers[i]!]: 1 }))
    .reverse();
}

/** Read an array where the index is known to be inside. */
export function at(values: readonly number[], index: number): number {
  const value = values[index];
  if (value === undefined) throw new RangeError(`No value at index ${index} of ${values.length}`);
  return value;
}
