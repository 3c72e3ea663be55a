import { fractionalGrid, initialSigma } from "../grid.js";
import { at, update, type Solver, type SolverStep } from "./solver.js";

/**
 * Ancestral sampling with Euler steps: each step goes below the next level and adds noise back,
 * with the posterior variance of Song et al. 2020 (arXiv 2011.13456), appendix F.
 */
export const eulerAncestral: Solver = (schedule, settings) => {
  const grid = fractionalGrid(schedule, settings);
  const { startStep } = settings;
  const steps = grid.timesteps.slice(startStep).map((timestep, i): SolverStep => {
    // Notation: σ → σ'; up² + down² = σ'²; x' = x + (down − σ)·(x − x0)/σ + up·z.
    const sigma = at(grid.sigmas, startStep + i);
    const next = at(grid.sigmas, startStep + i + 1);
    const up = (next / sigma) * Math.sqrt(sigma ** 2 - next ** 2);
    const ratio = (next / sigma) ** 2; // down / σ
    const updates = [update("x", { x: ratio, denoised: 1 - ratio, noise: up })];
    return { timestep, level: { alpha: 1, sigma }, updates };
  });
  const finalLevel = { alpha: 1, sigma: at(grid.sigmas, settings.steps) };
  const initialScale = initialSigma(grid, settings);
  return { initialScale, startLevel: steps[0]!.level, steps, order: 1, finalLevel };
};
