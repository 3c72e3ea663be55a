import { expected } from "../runtime/errors.js";
import type { NoiseSchedule } from "./schedule.js";
import { roundHalfEven, sigmaAt, spaceSigmas, spaceTimesteps, timestepAt } from "./spacing.js";
import { at, type NoiseLevel, type SolverSettings } from "./solvers/solver.js";

/** Nodes of a run on the training timesteps themselves (DDIM, PNDM). */
export interface TrainingGrid {
  readonly timesteps: readonly number[];
  /** Distance in timesteps that one step covers. */
  readonly stride: number;
  /** Level at a timestep; below 0 the level of the finished sample. */
  levelAt(timestep: number): NoiseLevel;
}

/** Nodes of a run in noise-to-signal ratios: N timesteps, N + 1 ratios (the last ends the run). */
export interface SigmaGrid {
  readonly timesteps: readonly number[];
  readonly sigmas: readonly number[];
}

/**
 * Lay the grid of DDIM and PNDM.
 *
 * @throws `E_ARGUMENT` when an offset moves a timestep beyond the training range.
 */
export function trainingGrid(schedule: NoiseSchedule, settings: SolverSettings): TrainingGrid {
  const { steps, stepsOffset, spacing } = settings;
  const powers = schedule.alphasCumprod;
  const trainTimesteps = powers.length;
  const timesteps = spaceTimesteps("integer", { spacing, steps, stepsOffset, trainTimesteps });
  if (at(timesteps, 0) >= trainTimesteps) {
    const what = `steps whose timesteps stay below ${trainTimesteps}`;
    throw expected("E_ARGUMENT", what, `steps with steps_offset ${stepsOffset}`, steps);
  }
  const finalPower = settings.setAlphaToOne ? 1 : at(powers, 0);
  return {
    timesteps,
    stride: Math.floor(trainTimesteps / steps),
    levelAt: (timestep) => levelOfPower(timestep >= 0 ? at(powers, timestep) : finalPower),
  };
}

/** Variance-preserving level of a signal power ᾱ. */
function levelOfPower(power: number): NoiseLevel {
  return { alpha: Math.sqrt(power), sigma: Math.sqrt(1 - power) };
}

/** Lay the grid of LMS, Euler and Heun, whose timesteps may be fractional. */
export function fractionalGrid(schedule: NoiseSchedule, settings: SolverSettings): SigmaGrid {
  const { spacing, steps, stepsOffset, sigmas: law } = settings;
  const trainTimesteps = schedule.sigmas.length;
  const timesteps = spaceTimesteps("fractional", { spacing, steps, stepsOffset, trainTimesteps });
  const sigmas = timesteps.map((timestep) => sigmaAt(schedule, timestep));
  if (law === undefined) return closeGrid(schedule, settings, timesteps, sigmas);
  const bent = spaceSigmas(law, at(sigmas, 0), at(sigmas, sigmas.length - 1), steps);
  const fractions = bent.map((sigma) => Math.fround(timestepAt(schedule, sigma)));
  return closeGrid(schedule, settings, fractions, bent);
}

/**
 * Lay the grid of DPM-Solver++ and UniPC: N intervals on integer timesteps. A sigma law spans the
 * whole table, whatever the spacing; its timesteps are rounded for Karras and cut otherwise.
 */
export function intervalGrid(
  schedule: NoiseSchedule,
  settings: SolverSettings,
  roundKarras: boolean,
): SigmaGrid {
  const { spacing, steps, stepsOffset, sigmas: law } = settings;
  const { sigmas: table } = schedule;
  if (law === undefined) {
    const lastTimestep = table.length - clippedTimesteps(schedule, settings.lambdaMinClipped);
    const range = { trainTimesteps: table.length, lastTimestep };
    const timesteps = spaceTimesteps("interval", { spacing, steps, stepsOffset, ...range });
    const sigmas = timesteps.map((timestep) => sigmaAt(schedule, timestep));
    return closeGrid(schedule, settings, timesteps, sigmas);
  }
  const bent = spaceSigmas(law, at(table, table.length - 1), at(table, 0), steps);
  const toInteger = law === "karras" && roundKarras ? roundHalfEven : Math.trunc;
  const timesteps = bent.map((sigma) => toInteger(timestepAt(schedule, sigma)));
  return closeGrid(schedule, settings, timesteps, bent);
}

/** Count the noisiest timesteps whose λ = −ln σ lies below the clipping value. */
function clippedTimesteps(schedule: NoiseSchedule, lambdaMin: number): number {
  return schedule.sigmas.filter((sigma) => -Math.log(sigma) < lambdaMin).length;
}

function closeGrid(
  schedule: NoiseSchedule,
  settings: SolverSettings,
  timesteps: readonly number[],
  sigmas: readonly number[],
): SigmaGrid {
  const last = settings.finalSigma === "zero" ? 0 : at(schedule.sigmas, 0);
  return { timesteps, sigmas: [...sigmas, last].map(Math.fround) };
}

/** Standard deviation of the starting noise in σ space. */
export function initialSigma(grid: SigmaGrid, settings: SolverSettings): number {
  const highest = Math.max(...grid.sigmas);
  return settings.spacing === "leading" ? Math.hypot(highest, 1) : highest;
}

/** Variance-preserving level of a noise-to-signal ratio. */
export function levelOfSigma(sigma: number): NoiseLevel {
  const alpha = 1 / Math.sqrt(sigma * sigma + 1);
  return { alpha, sigma: sigma * alpha };
}
