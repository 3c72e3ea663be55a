import { trainingGrid } from "../grid.js";
import { at, update, type Solver, type SolverStep } from "./solver.js";

/**
 * Denoising diffusion implicit models: Song et al. 2020 (arXiv 2010.02502), equations 12 and 16.
 * `eta` 0 is deterministic, 1 has the variance of DDPM.
 */
export const ddim: Solver = (schedule, settings) => {
  const grid = trainingGrid(schedule, settings);
  // Notation: level (a, s) → (a', s'); x0 denoised; ε = (x − a·x0)/s; z noise with deviation d.
  const steps = grid.timesteps.slice(settings.startStep).map((timestep): SolverStep => {
    const level = grid.levelAt(timestep);
    const next = grid.levelAt(timestep - grid.stride);
    const [a, s] = [level.alpha, level.sigma];
    const remaining = 1 - (a / next.alpha) ** 2;
    const d = (settings.eta * next.sigma * Math.sqrt(remaining)) / s;
    const direction = Math.sqrt(next.sigma ** 2 - d * d) / s;
    const coefficients = { x: direction, denoised: next.alpha - direction * a, noise: d };
    return { timestep, level, updates: [update("x", coefficients)] };
  });
  const finalLevel = grid.levelAt(at(grid.timesteps, settings.steps - 1) - grid.stride);
  return { initialScale: 1, startLevel: steps[0]!.level, steps, order: 1, finalLevel };
};
