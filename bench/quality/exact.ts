/**
 * Compare solvers at equal numbers of network evaluations on problems with a known score.
 *
 * Data are Gaussian mixtures, so the noise prediction at every level is exact; the schedule and
 * the guidance scale of 2 are MusicLDM's. Prints a Markdown table of the error against the solution
 * of 1000 Heun steps: RMSE along the same starting noise, and the sliced Wasserstein distance.
 *
 * Usage: npx tsx bench/quality/exact.ts [--samples 256] [--problems 6] [--narrowest 0.05]
 */
import { parseArgs } from "node:util";
import { createPlan, createSolverSchedule, type SolverName } from "../../lib/diffusion/plan.js";
import { parseSchedulerConfig } from "../../lib/diffusion/scheduler-config.js";
import { interpret, type Network } from "../../test/helpers/schedulers.js";
import { createNormal, createRandom } from "./random.js";

const dimensions = 16;
const guidanceScale = 2;
const budgets = [10, 15, 20, 25] as const;
const grids = ["leading", "trailing", "linspace", "karras", "exponential"] as const;
const contenders: readonly SolverName[] = [
  "ddim",
  "pndm",
  "lms",
  "euler",
  "heun",
  "dpmsolver++",
  "unipc",
];

type Grid = (typeof grids)[number];

interface Component {
  readonly mean: readonly number[];
  readonly variance: readonly number[];
}

interface Errors {
  readonly rmse: number;
  readonly wasserstein: number;
}

function configFor(grid: Grid) {
  return parseSchedulerConfig({
    _class_name: "DDIMScheduler",
    beta_start: 0.0015,
    beta_end: 0.0195,
    beta_schedule: "scaled_linear",
    clip_sample: false,
    set_alpha_to_one: false,
    steps_offset: 1,
    timestep_spacing: grid === "trailing" || grid === "linspace" ? grid : "leading",
    use_karras_sigmas: grid === "karras",
    use_exponential_sigmas: grid === "exponential",
  });
}

/** Narrow and wide directions: deviations from `narrowest` to 0.6, total variance about 1. */
function createMixture(seed: number, count: number, narrowest: number): Component[] {
  const [normal, random] = [createNormal(seed), createRandom(seed + 1)];
  const variance = () => (narrowest * (0.6 / narrowest) ** random()) ** 2;
  return Array.from({ length: count }, () => ({
    mean: Array.from({ length: dimensions }, () => 0.9 * normal()),
    variance: Array.from({ length: dimensions }, variance),
  }));
}

/** Exact noise prediction for one sample: −s times the score of the mixture at level (a, s). */
function predictNoise(
  mixture: readonly Component[],
  x: Float64Array,
  a: number,
  s: number,
): Float64Array {
  const logs = mixture.map(({ mean, variance }) => {
    let log = 0;
    for (let d = 0; d < dimensions; d += 1) {
      const width = a * a * variance[d]! + s * s;
      log -= ((x[d]! - a * mean[d]!) ** 2 / width + Math.log(width)) / 2;
    }
    return log;
  });
  const top = Math.max(...logs);
  const weights = logs.map((log) => Math.exp(log - top));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const noise = new Float64Array(dimensions);
  mixture.forEach(({ mean, variance }, k) => {
    const share = (s * weights[k]!) / total;
    for (let d = 0; d < dimensions; d += 1) {
      const width = a * a * variance[d]! + s * s;
      noise[d] = noise[d]! + (share * (x[d]! - a * mean[d]!)) / width;
    }
  });
  return noise;
}

/** A guided network: conditional data are the first half of the components. */
function createNetwork(mixture: readonly Component[]): Network {
  const { sigmas } = createSolverSchedule(configFor("leading"), "euler");
  const condition = mixture.slice(0, mixture.length / 2);
  return (input, timestep) => {
    const low = Math.min(Math.floor(timestep), sigmas.length - 2);
    const [below, above] = [Math.log(sigmas[low]!), Math.log(sigmas[low + 1]!)];
    const sigma = Math.exp(below + (timestep - low) * (above - below));
    const [a, s] = [1 / Math.hypot(1, sigma), sigma / Math.hypot(1, sigma)];
    const output = new Float64Array(input.length);
    for (let from = 0; from < input.length; from += dimensions) {
      const x = input.subarray(from, from + dimensions);
      const free = predictNoise(mixture, x, a, s);
      const guided = predictNoise(condition, x, a, s);
      for (let d = 0; d < dimensions; d += 1) {
        output[from + d] = free[d]! + guidanceScale * (guided[d]! - free[d]!);
      }
    }
    return output;
  };
}

function sample(
  { network, noise }: Pick<Problem, "network" | "noise">,
  solver: SolverName,
  grid: Grid,
  steps: number,
): Float64Array {
  const plan = createPlan(configFor(grid), { solver, steps });
  const start = noise.map((value) => value * plan.initialScale);
  return interpret({ plan, network, prediction: "epsilon", start }).at(-1)!;
}

/** Steps that cost at most so many evaluations. */
function stepsWithin(solver: SolverName, evaluations: number): number {
  if (solver === "heun") return Math.floor((evaluations + 1) / 2);
  return solver === "pndm" ? evaluations - 1 : evaluations;
}

function compare(samples: Float64Array, reference: Float64Array): Errors {
  let square = 0;
  samples.forEach((value, i) => (square += (value - reference[i]!) ** 2));
  const normal = createNormal(99);
  const projections = 64;
  let distance = 0;
  for (let p = 0; p < projections; p += 1) {
    const raw = Array.from({ length: dimensions }, normal);
    const direction = raw.map((value) => value / Math.hypot(...raw));
    const [ours, theirs] = [project(samples, direction), project(reference, direction)];
    ours.forEach((value, i) => (distance += Math.abs(value - theirs[i]!)));
  }
  const count = samples.length / dimensions;
  return {
    rmse: Math.sqrt(square / samples.length),
    wasserstein: distance / (projections * count),
  };
}

/** Sorted coordinates of the samples along a direction. */
function project(samples: Float64Array, direction: readonly number[]): Float64Array {
  const count = samples.length / dimensions;
  return Float64Array.from({ length: count }, (_, i) =>
    direction.reduce((sum, value, d) => sum + value * samples[i * dimensions + d]!, 0),
  ).sort();
}

function isOffered(solver: SolverName, grid: Grid): boolean {
  return (grid !== "karras" && grid !== "exponential") || (solver !== "ddim" && solver !== "pndm");
}

interface Problem {
  readonly network: Network;
  readonly noise: Float64Array;
  readonly reference: Float64Array;
}

function createProblem(seed: number, samples: number, narrowest: number): Problem {
  const network = createNetwork(createMixture(seed, 8, narrowest));
  const normal = createNormal(seed + 7);
  const noise = Float64Array.from({ length: samples * dimensions }, normal);
  const reference = sample({ network, noise }, "heun", "linspace", 1000);
  return { network, noise, reference };
}

function describe(problems: readonly Problem[], solver: SolverName, grid: Grid, budget: number) {
  const steps = stepsWithin(solver, budget);
  const errors = problems.map((problem) =>
    compare(sample(problem, solver, grid, steps), problem.reference),
  );
  const mean = (key: keyof Errors) =>
    errors.reduce((sum, error) => sum + error[key], 0) / errors.length;
  return `${mean("rmse").toFixed(3)} / ${mean("wasserstein").toFixed(4)}`;
}

function main(): void {
  const { values } = parseArgs({
    options: {
      samples: { type: "string", default: "256" },
      problems: { type: "string", default: "6" },
      narrowest: { type: "string", default: "0.05" },
    },
  });
  const problems = Array.from({ length: Number(values.problems) }, (_, i) =>
    createProblem(1000 * (i + 1), Number(values.samples), Number(values.narrowest)),
  );
  console.log(`| solver | grid | ${budgets.join(" | ")} |`);
  console.log(`|---|---|${budgets.map(() => "---|").join("")}`);
  for (const solver of contenders) {
    for (const grid of grids.filter((grid) => isOffered(solver, grid))) {
      const cells = budgets.map((budget) => describe(problems, solver, grid, budget));
      console.log(`| ${solver} | ${grid} | ${cells.join(" | ")} |`);
    }
  }
}

main();
