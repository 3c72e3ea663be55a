import test from "ava";
import { createPlan, defaultSampler, defaultSolver, defaultSteps } from "../lib/diffusion/plan.js";
import type { PlanSettings, SolverName, SolverPlan } from "../lib/diffusion/plan.js";
import { parseSchedulerConfig, type SchedulerConfig } from "../lib/diffusion/scheduler-config.js";
import { solverNames } from "../lib/diffusion/solvers/index.js";
import { MusicLDMError } from "../lib/runtime/errors.js";
import { interpret, namesNoise, relativeNorm, type Network } from "./helpers/schedulers.js";

const json = {
  _class_name: "DDIMScheduler",
  beta_start: 0.0015,
  beta_end: 0.0195,
  beta_schedule: "scaled_linear",
  clip_sample: false,
  num_train_timesteps: 1000,
  set_alpha_to_one: false,
  steps_offset: 1,
  timestep_spacing: "leading",
};
const config = parseSchedulerConfig(json);
/** The same noise levels on a grid fine enough to measure orders of convergence. */
const fine = {
  ...json,
  beta_start: json.beta_start / 20,
  beta_end: json.beta_end / 20,
  num_train_timesteps: 20000,
  steps_offset: 0,
};
const spread = 0.5;

/** Noise prediction for data ~ N(0, spread²): linear in the state, with a known solution. */
function gaussianNetwork(plan: SolverPlan): Network {
  const levels = plan.steps.map(({ level }) => level).values();
  return (input) => {
    const { alpha, sigma } = levels.next().value!;
    const [a, s] = [alpha / Math.hypot(alpha, sigma), sigma / Math.hypot(alpha, sigma)];
    return input.map((x) => (s * x) / ((a * spread) ** 2 + s * s));
  };
}

/** Relative error at the last node against the exact flow x ∝ √(α²·spread² + σ²). */
function flowError(solver: SolverName, source: SchedulerConfig, settings: PlanSettings): number {
  const plan = createPlan(source, { solver, ...settings });
  const width = ({ alpha, sigma }: { alpha: number; sigma: number }) =>
    Math.hypot(alpha * spread, sigma);
  const start = Float64Array.of(plan.initialScale);
  const network = gaussianNetwork(plan);
  const end = interpret({ plan, network, prediction: "epsilon", start }).at(-2)!;
  const exact = (start[0]! * width(plan.steps.at(-1)!.level)) / width(plan.startLevel);
  return Math.abs(end[0]! / exact - 1);
}

const orders = [
  ["ddim", 0.9, 1.2, {}],
  ["euler", 0.9, 1.2, {}],
  ["heun", 1.8, 2.6, {}],
  ["lms", 3, 6, {}],
  ["dpmsolver++", 1.8, 2.4, {}],
  ["dpmsolver++", 1.8, 3.8, { solver_order: 3 }], // upstream weighs the second difference half
  ["unipc", 2.7, 3.8, {}],
] as const;

for (const [solver, least, most, extra] of orders) {
  test(`${solver} ${JSON.stringify(extra)} converges with order ${least}..${most}`, (t) => {
    const law = solver === "ddim" ? {} : { use_karras_sigmas: true };
    const source = parseSchedulerConfig({ ...fine, ...law, ...extra });
    const [coarse, dense] = [160, 320].map((steps) => flowError(solver, source, { steps }));
    const order = Math.log2(coarse! / dense!);
    t.log(`${coarse!.toExponential(2)} → ${dense!.toExponential(2)}: order ${order.toFixed(2)}`);
    t.true(order >= least && order <= most);
  });
}

test("the defaults are a plan of their own", (t) => {
  const plan = createPlan(config);
  t.is(plan.steps.length, defaultSteps(defaultSolver));
  t.deepEqual(plan, createPlan(config, defaultSampler));
  t.notDeepEqual(plan, createPlan(config, { solver: defaultSolver }));
  t.true(defaultSteps(defaultSolver) <= 25);
  for (const solver of solverNames) t.notThrows(() => createPlan(config, { solver }));
});

test("one step ends at the prediction of the clean sample", (t) => {
  for (const solver of solverNames) {
    if (solver === "ddim" || solver === "pndm") continue; // these keep the noise of timestep 0
    const plan = createPlan(config, { solver, steps: 1 });
    const network: Network = (input) => input.map(Math.tanh);
    const start = Float64Array.of(0.3, -0.8).map((value) => value * plan.initialScale);
    const scale = Math.hypot(plan.startLevel.alpha, plan.startLevel.sigma);
    const exact = network(
      start.map((value) => value / scale),
      0,
    );
    const [end] = interpret({ plan, network, prediction: "sample", start, noise: () => start });
    t.true(relativeNorm(end!, exact) < 1e-12, solver);
    t.deepEqual(plan.finalLevel, { alpha: 1, sigma: 0 }, solver);
  }
});

test("a start step continues the same grid with a fresh history", (t) => {
  for (const solver of solverNames) {
    const whole = createPlan(config, { solver, steps: 10 });
    const part = createPlan(config, { solver, steps: 10, startStep: 6 });
    const expectedCalls = { heun: 7, pndm: 5 }[solver as string] ?? 4;
    t.is(part.steps.length, expectedCalls, solver);
    t.deepEqual(part.startLevel, whole.steps.at(solver === "heun" ? 11 : -4)!.level, solver);
    t.deepEqual(part.steps.at(-1)!.timestep, whole.steps.at(-1)!.timestep);
    t.deepEqual(part.finalLevel, whole.finalLevel);
    // Reads of registers that no step wrote would throw.
    const start = Float64Array.of(1, -0.5);
    const noise = () => Float64Array.of(0.3, -0.2);
    const network: Network = (input) => input.map(Math.tanh);
    const states = interpret({ plan: part, network, prediction: "epsilon", start, noise });
    t.true(states.at(-1)!.every(Number.isFinite), solver);
  }
});

test("an exact prediction is kept from any start", (t) => {
  const clean = Float64Array.of(0.7, -1.2, 0.1);
  const unit = Float64Array.of(0.5, 1.5, -0.4);
  for (const solver of solverNames) {
    for (const startStep of [0, 4, 9]) {
      const plan = createPlan(config, { solver, steps: 10, startStep });
      const { startLevel: from, finalLevel: to } = plan;
      const start = clean.map((value, i) => from.alpha * value + from.sigma * unit[i]!);
      const end = interpret({
        plan,
        network: () => clean,
        prediction: "sample",
        start,
        noise: () => unit,
      }).at(-1)!;
      const exact = clean.map((value, i) => to.alpha * value + to.sigma * unit[i]!);
      t.true(relativeNorm(end, exact) < 1e-6, `${solver} ${startStep}`);
    }
  }
});

test("noise is drawn by the stochastic solvers alone", (t) => {
  const draws = (settings: PlanSettings) => {
    const { steps } = createPlan(config, { steps: 10, ...settings });
    return steps.filter(({ updates }) => namesNoise(updates)).length;
  };
  t.is(draws({ solver: "ddim" }), 0);
  t.is(draws({ solver: "ddim", eta: 1 }), 10);
  t.is(draws({ solver: "euler-ancestral" }), 9);
  t.is(draws({ solver: "dpmsolver++-sde" }), 9);
  for (const solver of ["pndm", "lms", "euler", "heun", "dpmsolver++", "unipc"] as const) {
    t.is(draws({ solver }), 0, solver);
  }
});

const invalid: readonly (readonly [PlanSettings, string])[] = [
  [{ steps: 0 }, "steps"],
  [{ steps: -3 }, "steps"],
  [{ steps: 2.5 }, "steps"],
  [{ steps: NaN }, "steps"],
  [{ steps: Infinity }, "steps"],
  [{ steps: 1001 }, "steps"],
  [{ steps: "10" as unknown as number }, "steps"],
  [{ steps: 10, startStep: 10 }, "startStep"],
  [{ steps: 10, startStep: -1 }, "startStep"],
  [{ steps: 10, startStep: 0.5 }, "startStep"],
  [{ solver: "ddim", eta: -0.1 }, "eta"],
  [{ solver: "ddim", eta: 1.1 }, "eta"],
  [{ solver: "ddim", eta: NaN }, "eta"],
  [{ solver: "euler", eta: 0.5 }, "eta"],
  [{ solver: "ddim", sigmas: "karras" }, "sigmas"],
  [{ solver: "euler-ancestral", sigmas: "exponential" }, "sigmas"],
  [{ solver: "euler", sigmas: "beta" as "karras" }, "sigmas"],
  [{ solver: "dpm" as SolverName }, "scheduler"],
  [{ solver: "toString" as SolverName }, "scheduler"],
  [{ solver: "ddim", steps: 1000 }, "steps with steps_offset 1"],
  [{ solver: "dpmsolver++", steps: 1000 }, "steps"],
  [{ solver: "unipc", steps: 1000 }, "steps"],
];

for (const [settings, name] of invalid) {
  const title = `${JSON.stringify(settings)}, ${Object.values(settings).join(" ")}`;
  test(`createPlan rejects ${title}`, (t) => {
    const error = t.throws(() => createPlan(config, settings), { instanceOf: MusicLDMError });
    t.is(error?.code, "E_ARGUMENT");
    t.is(error?.details.name, name);
  });
}
