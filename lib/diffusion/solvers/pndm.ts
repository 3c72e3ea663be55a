import { trainingGrid } from "../grid.js";
import { shift, update, type NoiseLevel, type Solver, type SolverSettings } from "./solver.js";
import type { SolverStep, Update } from "./solver.js";

const history = ["output", "output1", "output2", "output3"] as const;

/** Weights of the newest and the kept network outputs, by how many there are. */
const weights: readonly (readonly number[])[] = [
  [1],
  [3 / 2, -1 / 2],
  [23 / 12, -16 / 12, 5 / 12],
  [55 / 24, -59 / 24, 37 / 24, -9 / 24],
];

/**
 * Pseudo linear multistep (PLMS): Liu et al. 2022 (arXiv 2202.09778), equations 9 and 12, without
 * the Runge-Kutta start. The second node is evaluated twice, so N steps cost N + 1 evaluations:
 * the second evaluation repeats the first step with the mean of both outputs.
 */
export const pndm: Solver = (schedule, settings) => {
  const grid = trainingGrid(schedule, settings);
  const nodes = grid.timesteps.slice(settings.startStep);
  const steps = nodes.map((timestep, i): SolverStep => {
    const level = grid.levelAt(timestep);
    const next = grid.levelAt(timestep - grid.stride);
    const mixed = Object.fromEntries(
      weights[Math.min(i, 3)]!.map((w, j) => [history[j]!, w] as const),
    );
    const transfer = move(settings, level, next, mixed);
    const keep = i === 0 && nodes.length > 1 ? [update("kept", { x: 1 })] : [];
    return { timestep, level, updates: [...keep, observe(settings, level), transfer, ...age(i)] };
  });
  if (nodes.length > 1) {
    // Only the network is told nodes[1]; the step is measured back from there by one stride.
    const [timestep, stride] = [nodes[1]!, grid.stride];
    const [level, from] = [grid.levelAt(timestep), grid.levelAt(timestep + stride)];
    const mean = { output: 1 / 2, output1: 1 / 2 };
    const repeat = move(settings, from, level, mean, "kept");
    steps.splice(1, 0, { timestep, level, updates: [observe(settings, level), repeat] });
  }
  const finalLevel = grid.levelAt(nodes.at(-1)! - grid.stride);
  return { initialScale: 1, startLevel: steps[0]!.level, steps, order: 1, finalLevel };
};

/**
 * Recover the network's own output from the denoised sample. The history holds outputs, and the
 * combined one is turned into noise at the current level: with v prediction that is not the same
 * as combining noises, and it is what diffusers does.
 */
function observe(settings: SolverSettings, { alpha, sigma }: NoiseLevel): Update {
  if (settings.predictionType !== "v_prediction") {
    return update("output", { x: 1 / sigma, denoised: -alpha / sigma });
  }
  return update("output", { x: alpha / sigma, denoised: -1 / sigma });
}

/** Equation 9: carry the state from one level to the next along the combined output. */
function move(
  settings: SolverSettings,
  from: NoiseLevel,
  to: NoiseLevel,
  outputs: Readonly<Record<string, number>>,
  state = "x",
): Update {
  // Notation: φ(x, ε) = (a'/a)·x + (s' − a'·s/a)·ε; with v prediction ε = a·v + s·x.
  const perNoise = to.sigma - (to.alpha * from.sigma) / from.alpha;
  const isVelocity = settings.predictionType === "v_prediction";
  const perOutput = isVelocity ? perNoise * from.alpha : perNoise;
  const perState = to.alpha / from.alpha + (isVelocity ? perNoise * from.sigma : 0);
  const scaled = Object.entries(outputs).map(([name, w]) => [name, w * perOutput] as const);
  return update("x", { [state]: perState, ...Object.fromEntries(scaled) });
}

function age(i: number): Update[] {
  return shift(history.slice(0, Math.min(i + 2, 4)));
}
