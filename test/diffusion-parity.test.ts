import test from "ava";
import { createPlan, type PredictionType, type SolverName } from "../lib/diffusion/plan.js";
import { parseSchedulerConfig } from "../lib/diffusion/scheduler-config.js";
import { solverNames } from "../lib/diffusion/solvers/index.js";
import { interpret, readGolden, relativeNorm, type Network } from "./helpers/schedulers.js";

// Written by test/reference/schedulers.py.
const golden = readGolden(new URL("goldens/schedulers.safetensors", import.meta.url));
const baseConfig = JSON.parse(golden.metadata.config!) as Record<string, unknown>;
const classes = JSON.parse(golden.metadata.classes!) as Record<SolverName, string>;
const width = 8;

interface Case {
  readonly solver: SolverName;
  readonly steps: number;
  readonly config: Record<string, unknown>;
  readonly calls: number;
  readonly scale: number;
  readonly eta?: number;
  readonly begin?: number;
}

const network: Network = (input, timestep) => {
  const [gain, slope, bias] = [0, 1, 2].map((row) => rows("network", row, 1));
  return input.map((x, i) => Math.tanh(gain![i]! * x + (slope![i]! * timestep) / 1000 + bias![i]!));
};

function rows(name: string, from: number, count: number): Float64Array {
  return golden.tensors.get(name)!.subarray(from * width, (from + count) * width);
}

function configOf({ solver, config }: Case): Record<string, unknown> {
  const betas = Array.from({ length: 400 }, (_, i) => 0.001 + (i * 0.029) / 399);
  const trained = config.trained_betas === undefined ? {} : { trained_betas: betas };
  return { ...baseConfig, ...config, ...trained, _class_name: classes[solver] };
}

function worstNorms(item: Case, offset: number) {
  const json = configOf(item);
  const plan = createPlan(parseSchedulerConfig(json), {
    solver: item.solver,
    steps: item.steps,
    ...(item.eta !== undefined && { eta: item.eta }),
    ...(item.begin !== undefined && { startStep: item.begin }),
  });
  const timesteps = golden.tensors.get("timesteps")!.subarray(offset, offset + item.calls);
  const ours = plan.steps.map((step) => step.timestep);
  const start = rows("start", 0, 1).map((value) => value * item.scale);
  const prediction = json.prediction_type as PredictionType;
  const noise = (call: number) => rows("noise", call, 1);
  const states = interpret({ plan, network, prediction, start, noise });
  return {
    calls: ours.length,
    timestep: Math.max(...ours.map((value, i) => Math.abs(value - timesteps[i]!))),
    scale: item.begin === undefined ? Math.abs(plan.initialScale / item.scale - 1) : 0,
    state: Math.max(...states.map((x, i) => relativeNorm(x, rows("states", offset + i, 1)))),
  };
}

const cases = JSON.parse(golden.metadata.cases!) as Case[];
const offsets = cases.map((_, i) => cases.slice(0, i).reduce((sum, { calls }) => sum + calls, 0));

for (const solver of solverNames) {
  test(`${solver} equals diffusers step by step`, (t) => {
    let [worst, where, count] = [0, "", 0];
    cases.forEach((item, i) => {
      if (item.solver !== solver) return;
      const label = JSON.stringify(item);
      const norms = worstNorms(item, offsets[i]!);
      t.is(norms.calls, item.calls, label);
      t.true(norms.timestep <= 1e-3, `timestep ${norms.timestep} ${label}`);
      t.true(norms.scale <= 1e-6, `scale ${norms.scale} ${label}`);
      t.true(norms.state <= 1e-5, `state ${norms.state} ${label}`);
      if (norms.state > worst) [worst, where] = [norms.state, label];
      count += 1;
    });
    t.log(`${count} cases, worst relative norm ${worst.toExponential(2)} at ${where}`);
    t.true(count >= 20);
  });
}
