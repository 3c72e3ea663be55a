import type { NoiseSchedule } from "./schedule.js";

/** Where the timesteps of a run lie: table 2 of Lin et al. 2023 (arXiv 2305.08891). */
export type TimestepSpacing = "leading" | "trailing" | "linspace";

/** A law for the noise levels that replaces the spacing of timesteps. */
export type SigmaSpacing = "karras" | "exponential";

/**
 * Which convention a scheduler counts timesteps by: `"integer"` (DDIM, PNDM), `"fractional"` (LMS,
 * Euler, Heun), or `"interval"` (DPM-Solver++, UniPC: N steps out of N + 1 nodes).
 */
export type TimestepFamily = "integer" | "fractional" | "interval";

export interface TimestepOptions {
  readonly spacing: TimestepSpacing;
  readonly steps: number;
  readonly stepsOffset: number;
  readonly trainTimesteps: number;
  /** Exclusive upper end of the timesteps in use; below `trainTimesteps` where λ is clipped. */
  readonly lastTimestep?: number;
}

/** List the timesteps of a run, noisiest first, exactly as diffusers' schedulers of that family. */
export function spaceTimesteps(family: TimestepFamily, options: TimestepOptions): number[] {
  const { spacing, steps, stepsOffset, trainTimesteps } = options;
  const last = options.lastTimestep ?? trainTimesteps;
  const nodes = family === "interval" ? steps + 1 : steps;
  switch (spacing) {
    case "leading": {
      const ratio = Math.floor(last / nodes);
      return descending(nodes, steps, (i) => i * ratio + stepsOffset);
    }
    case "linspace": {
      const gap = nodes > 1 ? (last - 1) / (nodes - 1) : 0;
      const place = (i: number) => (i > 0 && i === nodes - 1 ? last - 1 : i * gap);
      const round = family === "fractional" ? Math.fround : roundHalfEven;
      return descending(nodes, steps, (i) => round(place(i)));
    }
    case "trailing": {
      const ratio = trainTimesteps / steps;
      const count = Math.min(steps, Math.ceil(last / ratio));
      const gap = last - (last - ratio); // rounded as NumPy's arange does, which decides ties
      return Array.from({ length: count }, (_, i) => roundHalfEven(last - i * gap) - 1);
    }
  }
}

function descending(nodes: number, steps: number, value: (i: number) => number): number[] {
  return Array.from({ length: steps }, (_, i) => value(nodes - 1 - i));
}

/** Round to the nearest integer, halves to the even one, as NumPy does. */
export function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const excess = value - floor;
  if (excess !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

/** Noise-to-signal ratio at a possibly fractional timestep, linear between table entries. */
export function sigmaAt(schedule: NoiseSchedule, timestep: number): number {
  const { sigmas } = schedule;
  const position = Math.min(Math.max(timestep, 0), sigmas.length - 1);
  const low = Math.floor(position);
  const high = Math.min(low + 1, sigmas.length - 1);
  return sigmas[low]! + (sigmas[high]! - sigmas[low]!) * (position - low);
}

/** The fractional timestep of a noise-to-signal ratio, linear in its logarithm. */
export function timestepAt(schedule: NoiseSchedule, sigma: number): number {
  const logSigma = Math.log(Math.max(sigma, 1e-10));
  const logAt = (t: number) => Math.fround(Math.log(schedule.sigmas[t]!));
  const found = schedule.sigmas.findLastIndex((_, t) => logSigma >= logAt(t));
  const low = Math.min(Math.max(found, 0), schedule.sigmas.length - 2);
  const weight = (logAt(low) - logSigma) / (logAt(low) - logAt(low + 1));
  return low + Math.min(Math.max(weight, 0), 1);
}

/** Space noise levels from `high` to `low`: Karras et al. 2022 (ρ = 7), or evenly in ln σ. */
export function spaceSigmas(law: SigmaSpacing, high: number, low: number, steps: number): number[] {
  const rho = 7;
  const [bend, unbend] =
    law === "karras"
      ? [(sigma: number) => sigma ** (1 / rho), (value: number) => value ** rho]
      : [Math.log, Math.exp];
  const [first, last] = [bend(high), bend(low)];
  return Array.from({ length: steps }, (_, i) => {
    const ramp = steps > 1 ? i / (steps - 1) : 0;
    return unbend(first + ramp * (last - first));
  });
}
