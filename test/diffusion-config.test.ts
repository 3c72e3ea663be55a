import test from "ava";
import { createPlan, type SolverName } from "../lib/diffusion/plan.js";
import {
  configuredSolver,
  parseSchedulerConfig,
  parseSchedulerConfigText,
} from "../lib/diffusion/scheduler-config.js";
import { createSchedule } from "../lib/diffusion/schedule.js";
import { MusicLDMError } from "../lib/runtime/errors.js";

const musicldm = {
  _class_name: "DDIMScheduler",
  _diffusers_version: "0.21.0",
  beta_end: 0.0195,
  beta_schedule: "scaled_linear",
  beta_start: 0.0015,
  clip_sample: false,
  clip_sample_range: 1,
  dynamic_thresholding_ratio: 0.995,
  num_train_timesteps: 1000,
  prediction_type: "epsilon",
  rescale_betas_zero_snr: false,
  sample_max_value: 1,
  set_alpha_to_one: false,
  skip_prk_steps: true,
  steps_offset: 1,
  thresholding: false,
  timestep_spacing: "leading",
  trained_betas: null,
};

function timesteps(solver: SolverName, steps: number, extra: object = {}): number[] {
  const config = parseSchedulerConfig({ ...musicldm, ...extra });
  return createPlan(config, { solver, steps }).steps.map((step) => step.timestep);
}

test("the MusicLDM schedule has its published values", (t) => {
  const { alphasCumprod, sigmas } = createSchedule({
    betaSchedule: "scaled_linear",
    betaStart: 0.0015,
    betaEnd: 0.0195,
    trainTimesteps: 1000,
    zeroTerminalSnr: false,
    floorTerminalSnr: false,
  });
  const known = [
    [0, 0.9985, 0.038759],
    [250, 0.50842433, 0.983291],
    [999, 0.000142303975, 83.82245],
  ] as const;
  for (const [time, power, sigma] of known) {
    t.true(Math.abs(alphasCumprod[time]! / power - 1) < 2e-6);
    t.true(Math.abs(sigmas[time]! / sigma - 1) < 2e-6);
  }
});

test("spacing and offset come from the file", (t) => {
  t.deepEqual(timesteps("ddim", 10), [901, 801, 701, 601, 501, 401, 301, 201, 101, 1]);
  t.deepEqual(timesteps("pndm", 3), [667, 334, 334, 1]);
  t.deepEqual(timesteps("dpmsolver++", 4), [801, 601, 401, 201]);
  t.deepEqual(timesteps("euler", 4, { timestep_spacing: "linspace" }), [999, 666, 333, 0]);
  t.deepEqual(timesteps("ddim", 4, { timestep_spacing: "trailing" }), [999, 749, 499, 249]);
  t.deepEqual(timesteps("heun", 3), [667, 334, 334, 1, 1]);
  // Upstream's floating-point range yields a 62nd timestep, −1, here.
  t.is(timesteps("ddim", 61, { timestep_spacing: "trailing" }).length, 61);
});

test("an absent spacing is that of the solver's own class", (t) => {
  const config = parseSchedulerConfig({ ...musicldm, timestep_spacing: undefined });
  const first = (solver: SolverName) =>
    createPlan(config, { solver, steps: 10 }).steps[0]!.timestep;
  t.is(first("ddim"), 901);
  t.is(first("pndm"), 901);
  t.is(first("euler"), 999);
  t.is(first("dpmsolver++"), 999);
});

test("the file's own scheduler is known by its class", (t) => {
  const solverOf = (extra: object) =>
    configuredSolver(parseSchedulerConfig({ ...musicldm, ...extra }));
  t.is(solverOf({}), "ddim");
  t.is(solverOf({ _class_name: "HeunDiscreteScheduler" }), "heun");
  const multistep = { _class_name: "DPMSolverMultistepScheduler" };
  t.is(solverOf(multistep), "dpmsolver++");
  t.is(solverOf({ ...multistep, algorithm_type: "sde-dpmsolver++" }), "dpmsolver++-sde");
});

test("Python's infinities are read", (t) => {
  const text = JSON.stringify({ ...musicldm, note: "-Infinity" }).replace(
    "{",
    '{"lambda_min_clipped": -Infinity, ',
  );
  t.is(parseSchedulerConfigText(text).lambdaMinClipped, -Infinity);
  t.throws(() => parseSchedulerConfigText("{"), { message: /Expected JSON/ });
});

const rejected: readonly (readonly [key: string, value: unknown])[] = [
  ["_class_name", "DDPMScheduler"],
  ["_class_name", undefined],
  ["beta_schedule", "sigmoid"],
  ["beta_start", 0],
  ["beta_end", 1.5],
  ["prediction_type", "flow_prediction"],
  ["timestep_spacing", "lagging"],
  ["steps_offset", -1],
  ["num_train_timesteps", 0],
  ["num_train_timesteps", 10.5],
  ["trained_betas", [0.1, 0.2]],
  ["trained_betas", "none"],
  ["clip_sample", true],
  ["clip_sample", undefined],
  ["thresholding", true],
  ["skip_prk_steps", false],
  ["use_beta_sigmas", true],
  ["use_lu_lambdas", true],
  ["use_flow_sigmas", true],
  ["use_karras_sigmas", "yes"],
  ["final_sigmas_type", "one"],
  ["algorithm_type", "dpmsolver"],
  ["solver_order", 4],
  ["solver_type", "bh3"],
  ["predict_x0", false],
  ["variance_type", "learned"],
  ["sigma_max", 80],
  ["interpolation_type", "log_linear"],
];

for (const [key, value] of rejected) {
  test(`${key} ${JSON.stringify(value)} is rejected by name`, (t) => {
    const error = t.throws(() => parseSchedulerConfig({ ...musicldm, [key]: value }), {
      instanceOf: MusicLDMError,
    });
    t.is(error?.code, "E_CONFIG");
    t.true(error?.message.includes(`scheduler ${key}`), error?.message);
    if (Array.isArray(value)) return;
    t.true(error?.message.includes(JSON.stringify(value) ?? "undefined"), error?.message);
  });
}

test("contradictions are rejected", (t) => {
  const reject = (extra: object, solver: SolverName = "dpmsolver++") =>
    t.throws(
      () => createPlan(parseSchedulerConfig({ ...musicldm, ...extra }), { solver, steps: 10 }),
      { instanceOf: MusicLDMError, code: "E_CONFIG" },
    );
  reject({ use_karras_sigmas: true, use_exponential_sigmas: true });
  reject({ solver_order: 3 }, "dpmsolver++-sde");
  reject({ lower_order_final: false }, "unipc");
  reject({ rescale_betas_zero_snr: true, timestep_spacing: "trailing" }, "ddim");
  reject({ _class_name: "PNDMScheduler", skip_prk_steps: undefined }, "pndm");
  reject({ clip_sample: undefined }, "ddim");
  for (const json of [null, [], "text", 3]) t.throws(() => parseSchedulerConfig(json));
});

test("keys that upstream ignores are ignored", (t) => {
  const extra = { invented: 1, dynamic_thresholding_ratio: 0.9, _diffusers_version: 3 };
  t.deepEqual(parseSchedulerConfig({ ...musicldm, ...extra }), parseSchedulerConfig(musicldm));
});
