import { intervalGrid, levelOfSigma, type SigmaGrid } from "../grid.js";
import { ageDenoised, combine, lambdaAt } from "./multistep.js";
import { at, update, type Solver, type SolverSettings, type SolverStep } from "./solver.js";

/**
 * DPM-Solver++ multistep of order 1 to 3: Lu et al. 2022 (arXiv 2211.01095), algorithm 2 (2M).
 * Integrates the prediction of the clean sample exactly in λ = ln(α/σ).
 */
export const dpmSolver: Solver = (schedule, settings) => plan(schedule, settings, 1);

/** The stochastic variant of DPM-Solver++: the same paper, section 5 (SDE-DPM-Solver++). */
export const dpmSolverSde: Solver = (schedule, settings) => plan(schedule, settings, 2);

/** `rate` is how fast predictions decay in λ: 1 for the ODE, 2 for the SDE. */
function plan(schedule: Parameters<Solver>[0], settings: SolverSettings, rate: 1 | 2) {
  const grid = intervalGrid(schedule, settings, settings.betaSchedule !== "squaredcos_cap_v2");
  const { startStep, solverOrder } = settings;
  const steps = grid.timesteps.slice(startStep).map((timestep, i): SolverStep => {
    const index = startStep + i;
    const order = Math.min(solverOrder, i + 1, orderLimit(settings, grid, index));
    const advance = update("x", coefficients(grid, index, order, rate, settings));
    const level = levelOfSigma(at(grid.sigmas, index));
    return { timestep, level, updates: [advance, ...ageDenoised(i, solverOrder)] };
  });
  const finalLevel = levelOfSigma(at(grid.sigmas, grid.timesteps.length));
  const startLevel = steps[0]!.level;
  return { initialScale: 1, startLevel, steps, order: 1 as const, finalLevel };
}

/** Lower the order towards the end, where the step in λ is unbounded or few steps are taken. */
function orderLimit(settings: SolverSettings, grid: SigmaGrid, index: number): number {
  const remaining = grid.timesteps.length - index;
  const isShort = settings.lowerOrderFinal && grid.timesteps.length < 15;
  const endsInEuler = settings.eulerAtFinal || settings.finalSigma === "zero";
  if (remaining === 1 && (isShort || endsInEuler)) return 1;
  return remaining === 2 && isShort ? 2 : 3;
}

/** One step from node `index` to the next: linear in the state, the predictions and noise. */
function coefficients(
  grid: SigmaGrid,
  index: number,
  order: number,
  rate: 1 | 2,
  settings: SolverSettings,
): Record<string, number> {
  // Notation: h = λ' − λ; q = rate·h; D0 = m0, D1 ≈ h·dm/dλ, D2 ≈ h²·d²m/dλ² / 2 (divided
  // differences of the predictions m0, m1, m2); x' = a·x + α'·(φ1·D0 + φ2·D1 + φ3·D2) + d·z.
  const now = levelOfSigma(at(grid.sigmas, index));
  const next = levelOfSigma(at(grid.sigmas, index + 1));
  const h = lambdaAt(grid, index + 1) - lambdaAt(grid, index);
  const q = rate * h;
  const phi1 = -Math.expm1(-q);
  const x = (next.sigma / now.sigma) * (rate === 2 ? Math.exp(-h) : 1);
  const noise = rate === 2 ? next.sigma * Math.sqrt(phi1) : 0;
  const base = { x, noise, ...combine([next.alpha * phi1, { denoised: 1 }]) };
  if (order === 1) return base;
  const r0 = (lambdaAt(grid, index) - lambdaAt(grid, index - 1)) / h;
  const slope0 = { denoised: 1 / r0, denoised1: -1 / r0 };
  const phi2 = 1 - phi1 / q;
  if (order === 2) {
    const weight = settings.solverType === "heun" ? phi2 : phi1 / 2;
    return combine([1, base], [next.alpha * weight, slope0]);
  }
  const r1 = (lambdaAt(grid, index - 1) - lambdaAt(grid, index - 2)) / h;
  const slope1 = { denoised1: 1 / r1, denoised2: -1 / r1 };
  const bend = combine([1 / (r0 + r1), slope0], [-1 / (r0 + r1), slope1]);
  const phi3 = (phi1 - q) / q ** 2 + 1 / 2;
  return combine(
    [1, base],
    [next.alpha * phi2, combine([1, slope0], [r0, bend])],
    [next.alpha * phi3, bend],
  );
}
