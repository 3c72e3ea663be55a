import { fractionalGrid, initialSigma } from "../grid.js";
import { at, update, type Solver, type SolverStep } from "./solver.js";

/** Euler's method in σ space: Karras et al. 2022 (arXiv 2206.00364), algorithm 2 without churn. */
export const euler: Solver = (schedule, settings) => {
  const grid = fractionalGrid(schedule, settings);
  const { startStep } = settings;
  const steps = grid.timesteps.slice(startStep).map((timestep, i): SolverStep => {
    // Notation: x = x0 + σ·ε; x' = x + (σ' − σ)·(x − x0)/σ.
    const sigma = at(grid.sigmas, startStep + i);
    const ratio = at(grid.sigmas, startStep + i + 1) / sigma;
    const updates = [update("x", { x: ratio, denoised: 1 - ratio })];
    return { timestep, level: { alpha: 1, sigma }, updates };
  });
  const finalLevel = { alpha: 1, sigma: at(grid.sigmas, settings.steps) };
  const initialScale = initialSigma(grid, settings);
  return { initialScale, startLevel: steps[0]!.level, steps, order: 1, finalLevel };
};
