import { readFileSync } from "node:fs";
import type { SolverPlan, PredictionType, Update } from "../../lib/diffusion/plan.js";

/** Predicts from the normalised state and the timestep, in the plan's prediction type. */
export type Network = (input: Float64Array, timestep: number) => Float64Array;

export interface Interpretation {
  readonly plan: SolverPlan;
  readonly network: Network;
  readonly prediction: PredictionType;
  /** The state at the plan's start level (not unit noise). */
  readonly start: Float64Array;
  /** Unit noise for the i-th evaluation. */
  readonly noise?: (call: number) => Float64Array;
}

/** Run a plan on float64 arrays; the state after every evaluation. */
export function interpret(run: Interpretation): Float64Array[] {
  const registers = new Map([["x", run.start]]);
  return run.plan.steps.map(({ timestep, level, updates }, call) => {
    const scale = Math.hypot(level.alpha, level.sigma);
    const input = registers.get("x")!.map((value) => value / scale);
    const output = run.network(input, timestep);
    const [alpha, sigma] = [level.alpha / scale, level.sigma / scale];
    const denoised = output.map((value, i) => {
      if (run.prediction === "sample") return value;
      if (run.prediction === "epsilon") return (input[i]! - sigma * value) / alpha;
      return alpha * input[i]! - sigma * value;
    });
    registers.set("denoised", denoised);
    if (namesNoise(updates)) registers.set("noise", run.noise!(call));
    for (const update of updates) registers.set(update.target, evaluate(update, registers));
    return registers.get("x")!;
  });
}

export function namesNoise(updates: readonly Update[]): boolean {
  return updates.some(({ terms }) => terms.some(({ register }) => register === "noise"));
}

function evaluate(update: Update, registers: ReadonlyMap<string, Float64Array>): Float64Array {
  const size = registers.get("x")!.length;
  const result = new Float64Array(size);
  for (const { register, coefficient } of update.terms) {
    const values = registers.get(register);
    if (values === undefined) throw new Error(`register ${register} is read before it is written`);
    for (let i = 0; i < size; i += 1) result[i] = result[i]! + coefficient * values[i]!;
  }
  return result;
}

/** ‖a − b‖ / ‖b‖. */
export function relativeNorm(actual: ArrayLike<number>, golden: ArrayLike<number>): number {
  let [difference, size] = [0, 0];
  for (let i = 0; i < golden.length; i += 1) {
    difference += (actual[i]! - golden[i]!) ** 2;
    size += golden[i]! ** 2;
  }
  return Math.sqrt(difference / size);
}

/** Read float32 tensors and metadata of a small safetensors file. */
export function readGolden(url: URL): {
  readonly tensors: ReadonlyMap<string, Float64Array>;
  readonly metadata: Readonly<Record<string, string>>;
} {
  const bytes = readFileSync(url);
  const start = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString("utf8", 8, start)) as Record<string, unknown>;
  const { __metadata__: metadata, ...entries } = header;
  const tensors = new Map<string, Float64Array>();
  for (const [name, entry] of Object.entries(entries)) {
    const [from, to] = (entry as { data_offsets: [number, number] }).data_offsets;
    const values = Float64Array.from({ length: (to - from) / 4 }, (_, i) =>
      bytes.readFloatLE(start + from + 4 * i),
    );
    tensors.set(name, values);
  }
  return { tensors, metadata: metadata as Record<string, string> };
}
