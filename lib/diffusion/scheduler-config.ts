import * as z from "zod";
import { parsePythonJson } from "../checkpoint/python-json.js";
import { expected, type MusicLDMError } from "../runtime/errors.js";
import type { BetaSchedule } from "./schedule.js";
import type { PredictionType, SolverName, SolverSettings } from "./solvers/solver.js";
import type { TimestepSpacing } from "./spacing.js";

const classes = [
  "DDIMScheduler",
  "PNDMScheduler",
  "LMSDiscreteScheduler",
  "EulerDiscreteScheduler",
  "EulerAncestralDiscreteScheduler",
  "HeunDiscreteScheduler",
  "DPMSolverMultistepScheduler",
  "UniPCMultistepScheduler",
] as const;

export type SchedulerClass = (typeof classes)[number];

/** A parsed `scheduler_config.json`; what the file leaves out takes the solver's default. */
export interface SchedulerConfig {
  readonly className: SchedulerClass;
  readonly algorithmType: "dpmsolver++" | "sde-dpmsolver++";
  readonly trainTimesteps: number;
  readonly betaStart: number | undefined;
  readonly betaEnd: number | undefined;
  readonly betaSchedule: BetaSchedule | undefined;
  readonly trainedBetas: readonly number[] | undefined;
  readonly zeroTerminalSnr: boolean;
  readonly predictionType: PredictionType;
  readonly spacing: TimestepSpacing | undefined;
  readonly stepsOffset: number;
  readonly sigmas: "karras" | "exponential" | undefined;
  readonly finalSigma: "zero" | "sigma_min";
  readonly setAlphaToOne: boolean | undefined;
  readonly solverOrder: number;
  readonly solverType: SolverSettings["solverType"] | undefined;
  readonly lowerOrderFinal: boolean;
  readonly eulerAtFinal: boolean;
  readonly disabledCorrectors: readonly number[];
  readonly lambdaMinClipped: number;
}

function oneOf<const T extends readonly string[]>(values: T) {
  return z.enum(values, { error: `one of ${values.join(", ")}` }).nullish();
}

/** A flag that may only have the one value that is implemented. */
function only<T extends boolean>(value: T) {
  return z.literal(value, { error: String(value) }).nullish();
}

const flag = z.boolean({ error: "true or false" }).nullish();
const absent = z.null({ error: "null" }).optional();
const variance = z
  .number({ error: "a number between 0 and 1" })
  .gt(0, { error: "a number above 0" })
  .lt(1, { error: "a number below 1" });
const integer = z.int({ error: "an integer" });
const count = integer.min(0, { error: "an integer of at least 0" });

/** Keys that no solver here can do without noticing; the rest of a file is ignored, as upstream. */
const schema = z.object({
  _class_name: z.enum(classes, { error: `one of ${classes.join(", ")}` }),
  num_train_timesteps: integer.min(2, { error: "an integer of at least 2" }).nullish(),
  beta_start: variance.nullish(),
  beta_end: variance.nullish(),
  beta_schedule: oneOf(["linear", "scaled_linear", "squaredcos_cap_v2"]),
  trained_betas: z.array(variance, { error: "an array of numbers" }).nullish(),
  rescale_betas_zero_snr: flag,
  prediction_type: oneOf(["epsilon", "v_prediction", "sample"]),
  timestep_spacing: oneOf(["leading", "trailing", "linspace"]),
  steps_offset: count.nullish(),
  use_karras_sigmas: flag,
  use_exponential_sigmas: flag,
  use_beta_sigmas: only(false),
  use_lu_lambdas: only(false),
  use_flow_sigmas: only(false),
  use_dynamic_shifting: only(false),
  final_sigmas_type: oneOf(["zero", "sigma_min"]),
  sigma_min: absent,
  sigma_max: absent,
  interpolation_type: oneOf(["linear"]),
  timestep_type: oneOf(["discrete"]),
  set_alpha_to_one: flag,
  clip_sample: only(false),
  thresholding: only(false),
  skip_prk_steps: only(true),
  algorithm_type: oneOf(["dpmsolver++", "sde-dpmsolver++", "deis"]),
  solver_order: integer.min(1, { error: "1, 2 or 3" }).max(3, { error: "1, 2 or 3" }).nullish(),
  solver_type: oneOf(["midpoint", "heun", "logrho", "bh1", "bh2"]),
  lower_order_final: flag,
  euler_at_final: flag,
  lambda_min_clipped: z.union([z.number(), z.literal(-Infinity)], { error: "a number" }).nullish(),
  variance_type: absent,
  predict_x0: only(true),
  disable_corrector: z.array(count, { error: "an array of step indices" }).nullish(),
  solver_p: absent,
});

/**
 * Check the contents of diffusers' `scheduler_config.json`.
 *
 * @throws `E_CONFIG` naming the key and the value that is unknown or not implemented.
 */
export function parseSchedulerConfig(json: unknown): SchedulerConfig {
  const parsed = schema.safeParse(json);
  if (!parsed.success) throw configError(parsed.error, json);
  const raw = parsed.data;
  rejectClassDefaults(raw);
  rejectContradictions(raw);
  return {
    className: raw._class_name,
    algorithmType: raw.algorithm_type === "sde-dpmsolver++" ? "sde-dpmsolver++" : "dpmsolver++",
    trainTimesteps: raw.num_train_timesteps ?? 1000,
    betaStart: raw.beta_start ?? undefined,
    betaEnd: raw.beta_end ?? undefined,
    betaSchedule: raw.beta_schedule ?? undefined,
    trainedBetas: raw.trained_betas ?? undefined,
    zeroTerminalSnr: raw.rescale_betas_zero_snr ?? false,
    predictionType: raw.prediction_type ?? "epsilon",
    spacing: raw.timestep_spacing ?? undefined,
    stepsOffset: raw.steps_offset ?? 0,
    sigmas: sigmaLaw(raw),
    finalSigma: raw.final_sigmas_type ?? "zero",
    setAlphaToOne: raw.set_alpha_to_one ?? undefined,
    solverOrder: raw.solver_order ?? 2,
    solverType: raw.solver_type === "logrho" ? undefined : (raw.solver_type ?? undefined),
    lowerOrderFinal: raw.lower_order_final ?? true,
    eulerAtFinal: raw.euler_at_final ?? false,
    disabledCorrectors: raw.disable_corrector ?? [],
    lambdaMinClipped: raw.lambda_min_clipped ?? -Infinity,
  };
}

/**
 * Parse the text of `scheduler_config.json`; Python writes infinities into it, which JSON lacks.
 *
 * @throws `E_CONFIG` as `parseSchedulerConfig`, and for text that is not JSON.
 */
export function parseSchedulerConfigText(text: string): SchedulerConfig {
  let json: unknown;
  try {
    json = parsePythonJson(text);
  } catch (cause) {
    throw expected("E_CONFIG", "JSON", "scheduler_config.json", text, { cause });
  }
  return parseSchedulerConfig(json);
}

/** The solver that the file itself names. */
export function configuredSolver(config: SchedulerConfig): SolverName {
  const isSde = config.algorithmType === "sde-dpmsolver++";
  const names: Readonly<Record<SchedulerClass, SolverName>> = {
    DDIMScheduler: "ddim",
    PNDMScheduler: "pndm",
    LMSDiscreteScheduler: "lms",
    EulerDiscreteScheduler: "euler",
    EulerAncestralDiscreteScheduler: "euler-ancestral",
    HeunDiscreteScheduler: "heun",
    DPMSolverMultistepScheduler: isSde ? "dpmsolver++-sde" : "dpmsolver++",
    UniPCMultistepScheduler: "unipc",
  };
  return names[config.className];
}

type RawConfig = z.infer<typeof schema>;

function sigmaLaw(raw: RawConfig): "karras" | "exponential" | undefined {
  if (raw.use_karras_sigmas) return "karras";
  return raw.use_exponential_sigmas ? "exponential" : undefined;
}

/** An absent key can mean what is not implemented: DDIM clips and PNDM takes Runge-Kutta steps. */
function rejectClassDefaults(raw: RawConfig): void {
  if (raw._class_name === "DDIMScheduler" && raw.clip_sample === undefined) {
    throw expected("E_CONFIG", "false", "scheduler clip_sample", undefined);
  }
  if (raw._class_name === "PNDMScheduler" && raw.skip_prk_steps === undefined) {
    throw expected("E_CONFIG", "true", "scheduler skip_prk_steps", undefined);
  }
}

function rejectContradictions(raw: RawConfig): void {
  const { trained_betas: betas, num_train_timesteps: timesteps } = raw;
  if (betas && betas.length !== (timesteps ?? 1000)) {
    const what = `${timesteps ?? 1000} numbers (num_train_timesteps)`;
    throw expected("E_CONFIG", what, "scheduler trained_betas", betas.length);
  }
  if (raw.use_karras_sigmas && raw.use_exponential_sigmas) {
    const name = "scheduler use_exponential_sigmas beside use_karras_sigmas";
    throw expected("E_CONFIG", "false", name, true);
  }
}

function configError(error: z.ZodError, json: unknown): MusicLDMError {
  const issues = error.issues.map(({ path, message }) => {
    const received = path.reduce<unknown>(
      (value, key) => (value as Record<PropertyKey, unknown> | undefined)?.[key],
      json,
    );
    return { key: path.join("."), what: message, received };
  });
  const { key, what, received } = issues[0]!;
  if (key === "") return expected("E_CONFIG", "an object", "scheduler_config.json", json);
  const keys = issues.map((issue) => issue.key);
  return expected("E_CONFIG", what, `scheduler ${key}`, received, { keys });
}
