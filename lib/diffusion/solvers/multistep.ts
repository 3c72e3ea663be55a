import type { SigmaGrid } from "../grid.js";
import { at, shift, type Update } from "./solver.js";

/** Predictions of the clean sample, newest first. */
export const denoisedHistory = ["denoised", "denoised1", "denoised2", "denoised3"] as const;

/** Half the logarithm of the signal-to-noise ratio, λ = −ln σ; infinite for σ = 0. */
export function lambdaAt(grid: SigmaGrid, index: number): number {
  return -Math.log(at(grid.sigmas, index));
}

/** Age the predictions after step `i` of a run, for a solver that reads `depth` of them. */
export function ageDenoised(i: number, depth: number): Update[] {
  return shift(denoisedHistory.slice(0, Math.min(i + 2, depth)));
}

/** Add up weights of predictions that are given as differences of registers. */
export function combine(
  ...parts: readonly (readonly [weight: number, coefficients: Readonly<Record<string, number>>])[]
): Record<string, number> {
  const sum: Record<string, number> = {};
  for (const [weight, coefficients] of parts) {
    for (const [register, coefficient] of Object.entries(coefficients)) {
      sum[register] = (sum[register] ?? 0) + weight * coefficient;
    }
  }
  return sum;
}
