import { fractionalGrid, initialSigma } from "../grid.js";
import { at, update, type Solver, type SolverStep } from "./solver.js";

/**
 * Heun's method in σ space: Karras et al. 2022 (arXiv 2206.00364), algorithm 1 without churn.
 * N steps cost 2N − 1 evaluations, since the step to σ = 0 is Euler's.
 */
export const heun: Solver = (schedule, settings) => {
  const grid = fractionalGrid(schedule, settings);
  const { startStep } = settings;
  const nodes = grid.timesteps.slice(startStep);
  const steps = nodes.flatMap((timestep, i): SolverStep[] => {
    // Notation: slope d = (x − x0)/σ; predictor x + (σ' − σ)·d; corrector x + (σ' − σ)·(d + d')/2.
    const sigma = at(grid.sigmas, startStep + i);
    const next = at(grid.sigmas, startStep + i + 1);
    const gap = next - sigma;
    const level = { alpha: 1, sigma };
    const advance = update("x", { x: next / sigma, denoised: -gap / sigma });
    const following = nodes[i + 1];
    if (following === undefined) return [{ timestep, level, updates: [advance] }];
    // "kept" is the corrected state less the slope that is still to come: x + gap·d/2.
    const half = gap / 2;
    const keep = update("kept", { x: 1 + half / sigma, denoised: -half / sigma });
    const correct = update("x", { kept: 1, x: half / next, denoised: -half / next });
    return [
      { timestep, level, updates: [keep, advance] },
      { timestep: following, level: { alpha: 1, sigma: next }, updates: [correct] },
    ];
  });
  const finalLevel = { alpha: 1, sigma: at(grid.sigmas, settings.steps) };
  const initialScale = initialSigma(grid, settings);
  return { initialScale, startLevel: steps[0]!.level, steps, order: 2, finalLevel };
};
