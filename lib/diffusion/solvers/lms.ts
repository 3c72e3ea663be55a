import { fractionalGrid, initialSigma } from "../grid.js";
import { at, shift, update, type Solver, type SolverStep } from "./solver.js";

const maxOrder = 4;
const history = ["slope", "slope1", "slope2", "slope3"] as const;

/**
 * Linear multistep of order 4 in σ space, after Karras et al. 2022 (arXiv 2206.00364), equation 1;
 * the Adams-Bashforth weights for unequal steps are those of k-diffusion's `sample_lms`.
 */
export const lms: Solver = (schedule, settings) => {
  const grid = fractionalGrid(schedule, settings);
  const { startStep } = settings;
  const steps = grid.timesteps.slice(startStep).map((timestep, i): SolverStep => {
    // Notation: state x = x0 + σ·ε, slope dx/dσ = (x − x0)/σ.
    const sigma = at(grid.sigmas, startStep + i);
    const order = Math.min(i + 1, maxOrder);
    const nodes = Array.from({ length: order }, (_, j) => at(grid.sigmas, startStep + i - j));
    const next = at(grid.sigmas, startStep + i + 1);
    const weights = nodes.map((_, j) => [history[j]!, adamsWeight(nodes, j, next)] as const);
    const slope = update("slope", { x: 1 / sigma, denoised: -1 / sigma });
    const advance = update("x", { x: 1, ...Object.fromEntries(weights) });
    const aging = shift(history.slice(0, Math.min(i + 2, maxOrder)));
    return { timestep, level: { alpha: 1, sigma }, updates: [slope, advance, ...aging] };
  });
  const finalLevel = { alpha: 1, sigma: at(grid.sigmas, settings.steps) };
  const initialScale = initialSigma(grid, settings);
  return { initialScale, startLevel: steps[0]!.level, steps, order: 1, finalLevel };
};

/** Integrate the Lagrange polynomial of node `j` from the newest node to `end`. */
function adamsWeight(nodes: readonly number[], j: number, end: number): number {
  const start = nodes[0]!;
  const basis = (tau: number) =>
    nodes.reduce((product, node, k) => {
      return k === j ? product : (product * (tau - node)) / (nodes[j]! - node);
    }, 1);
  // Two-point Gauss-Legendre quadrature is exact for cubics.
  const [middle, half] = [(start + end) / 2, (end - start) / 2];
  const reach = half / Math.sqrt(3);
  return half * (basis(middle - reach) + basis(middle + reach));
}
