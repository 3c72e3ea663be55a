import { expected } from "../runtime/errors.js";
import { createSchedule, type NoiseSchedule } from "./schedule.js";
import type { SchedulerConfig } from "./scheduler-config.js";
import { solvers } from "./solvers/index.js";
import { solverNames } from "./solvers/solver.js";
import type { SolverName, SolverPlan, SolverSettings } from "./solvers/solver.js";
import type { SigmaSpacing } from "./spacing.js";

export type {
  NoiseLevel,
  PredictionType,
  SolverName,
  SolverPlan,
  SolverStep,
  Update,
} from "./solvers/solver.js";

/** What a call chooses; everything else comes from the scheduler config. */
export interface PlanSettings {
  /** Absent: `defaultSampler`, with its grid. Named: that scheduler on the config's own grid. */
  readonly solver?: SolverName | undefined;
  /** 1..num_train_timesteps. Default `defaultSteps(solver)`. */
  readonly steps?: number | undefined;
  /** Stochasticity of DDIM in 0..1. Default 0. */
  readonly eta?: number | undefined;
  /** Law of the noise levels, in place of the config's. */
  readonly sigmas?: SigmaSpacing | undefined;
  /** Noisiest steps to skip, 0..steps − 1; the run then starts at `startLevel`. Default 0. */
  readonly startStep?: number | undefined;
}

/** The best quality per second at 25 evaluations or fewer; measured in docs/solvers.md. */
export const defaultSampler = { solver: "unipc", steps: 20, sigmas: "exponential" } as const;

export const defaultSolver: SolverName = defaultSampler.solver;

/** Steps of a solver when the call gives none; see docs/solvers.md. */
export function defaultSteps(solver: SolverName): number {
  return traits[solver].steps;
}

/** Which settings a solver honours, and the defaults of its scheduler class. */
interface Traits {
  readonly steps: number;
  readonly spacing: "leading" | "linspace";
  readonly bendsSigmas: boolean;
  readonly zeroSnr: "ignored" | "exact" | "floored";
  readonly choosesFinalSigma: boolean;
  readonly betaStart?: number;
  readonly betaEnd?: number;
}

const training = { spacing: "leading", bendsSigmas: false, choosesFinalSigma: false } as const;
const sigmaSpace = { spacing: "linspace", bendsSigmas: true, choosesFinalSigma: false } as const;
const lambdaSpace = { ...sigmaSpace, zeroSnr: "floored", choosesFinalSigma: true } as const;

const traits: Readonly<Record<SolverName, Traits>> = {
  ddim: { ...training, steps: 200, zeroSnr: "exact" },
  pndm: { ...training, steps: 50, zeroSnr: "ignored" },
  lms: { ...sigmaSpace, steps: 50, zeroSnr: "ignored" },
  euler: { ...lambdaSpace, steps: 50 },
  "euler-ancestral": { ...sigmaSpace, steps: 100, bendsSigmas: false, zeroSnr: "floored" },
  heun: { ...sigmaSpace, steps: 25, zeroSnr: "ignored", betaStart: 0.00085, betaEnd: 0.012 },
  "dpmsolver++": { ...lambdaSpace, steps: 20 },
  "dpmsolver++-sde": { ...lambdaSpace, steps: 50 },
  unipc: { ...lambdaSpace, steps: 20 },
};

/**
 * Plan a sampling run: the network evaluations and the updates between them.
 *
 * @throws `E_ARGUMENT` for a setting out of range or one that the solver lacks; `E_CONFIG` for a
 * config value that the solver does not implement.
 */
export function createPlan(config: SchedulerConfig, settings: PlanSettings = {}): SolverPlan {
  if (settings.solver === undefined) {
    const { solver, sigmas } = defaultSampler;
    return createPlan(config, { ...settings, solver, sigmas: settings.sigmas ?? sigmas });
  }
  const { solver } = settings;
  if (!solverNames.includes(solver)) {
    throw expected("E_ARGUMENT", `one of ${solverNames.join(", ")}`, "scheduler", solver);
  }
  checkSettings(config, solver, settings);
  const resolved = resolveSettings(config, solver, settings);
  checkCombination(solver, resolved);
  const plan = solvers[solver](createSolverSchedule(config, solver), resolved);
  checkPlan(plan, resolved);
  return plan;
}

/** The tables that a solver of this name runs on, for a given config. */
export function createSolverSchedule(config: SchedulerConfig, solver: SolverName): NoiseSchedule {
  const { zeroSnr, betaStart, betaEnd } = traits[solver];
  return createSchedule({
    betaSchedule: config.betaSchedule ?? "linear",
    betaStart: config.betaStart ?? betaStart ?? 0.0001,
    betaEnd: config.betaEnd ?? betaEnd ?? 0.02,
    trainTimesteps: config.trainTimesteps,
    trainedBetas: config.trainedBetas,
    zeroTerminalSnr: config.zeroTerminalSnr && zeroSnr !== "ignored",
    floorTerminalSnr: zeroSnr === "floored",
  });
}

function checkSettings(config: SchedulerConfig, solver: SolverName, settings: PlanSettings): void {
  const { steps = defaultSteps(solver), eta = 0, startStep = 0, sigmas } = settings;
  const most = config.trainTimesteps;
  if (!isIntegerIn(steps, 1, most)) {
    throw expected("E_ARGUMENT", `an integer in 1..${most}`, "steps", steps);
  }
  if (!isIntegerIn(startStep, 0, steps - 1)) {
    throw expected("E_ARGUMENT", `an integer in 0..${steps - 1}`, "startStep", startStep);
  }
  if (typeof eta !== "number" || !(eta >= 0 && eta <= 1)) {
    throw expected("E_ARGUMENT", "a number in 0..1", "eta", eta);
  }
  if (eta > 0 && solver !== "ddim") {
    throw expected("E_ARGUMENT", `0 (only ddim has it, not ${solver})`, "eta", eta);
  }
  if (sigmas === undefined) return;
  if (sigmas !== "karras" && sigmas !== "exponential") {
    throw expected("E_ARGUMENT", '"karras" or "exponential"', "sigmas", sigmas);
  }
  if (!traits[solver].bendsSigmas) {
    throw expected("E_ARGUMENT", `undefined (${solver} has no choice of sigmas)`, "sigmas", sigmas);
  }
}

function isIntegerIn(value: unknown, least: number, most: number): boolean {
  return Number.isInteger(value) && (value as number) >= least && (value as number) <= most;
}

function resolveSettings(
  config: SchedulerConfig,
  solver: SolverName,
  settings: PlanSettings,
): SolverSettings {
  const { spacing, bendsSigmas, choosesFinalSigma } = traits[solver];
  const { solverType } = config;
  const isUnified = solver === "unipc";
  const isOwnType = (solverType === "bh1" || solverType === "bh2") === isUnified;
  return {
    steps: settings.steps ?? defaultSteps(solver),
    startStep: settings.startStep ?? 0,
    eta: settings.eta ?? 0,
    spacing: config.spacing ?? spacing,
    stepsOffset: config.stepsOffset,
    sigmas: bendsSigmas ? (settings.sigmas ?? config.sigmas) : undefined,
    finalSigma: choosesFinalSigma ? config.finalSigma : "zero",
    setAlphaToOne: config.setAlphaToOne ?? solver === "ddim",
    solverOrder: config.solverOrder,
    solverType: solverType !== undefined && isOwnType ? solverType : isUnified ? "bh2" : "midpoint",
    lowerOrderFinal: config.lowerOrderFinal,
    eulerAtFinal: config.eulerAtFinal,
    disabledCorrectors: config.disabledCorrectors,
    lambdaMinClipped: isUnified ? -Infinity : config.lambdaMinClipped,
    betaSchedule: config.betaSchedule ?? "linear",
    predictionType: config.predictionType,
  };
}

function checkCombination(solver: SolverName, settings: SolverSettings): void {
  const { solverOrder, lowerOrderFinal, finalSigma } = settings;
  if (solver === "dpmsolver++-sde" && solverOrder > 2) {
    throw expected("E_CONFIG", `1 or 2 with ${solver}`, "scheduler solver_order", solverOrder);
  }
  const isUnbounded = solverOrder > 1 && !lowerOrderFinal && finalSigma === "zero";
  if (solver === "unipc" && isUnbounded) {
    const name = "scheduler lower_order_final with final_sigmas_type zero";
    throw expected("E_CONFIG", "true", name, lowerOrderFinal);
  }
}

/** Reject a grid with coinciding or unbounded levels, which upstream turns into NaN samples. */
function checkPlan(plan: SolverPlan, { steps, predictionType, spacing }: SolverSettings): void {
  if (predictionType === "epsilon" && plan.steps.some(({ level }) => level.alpha === 0)) {
    const what = "v_prediction or sample at zero signal-to-noise ratio";
    throw expected("E_CONFIG", what, "scheduler prediction_type", predictionType);
  }
  const terms = plan.steps.flatMap((step) => step.updates.flatMap((update) => update.terms));
  if (terms.some(({ coefficient }) => !Number.isFinite(coefficient))) {
    const what = `a number that gives distinct noise levels with ${spacing} spacing`;
    throw expected("E_ARGUMENT", what, "steps", steps);
  }
}
