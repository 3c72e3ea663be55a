import type { CallOptions } from "../runtime/abort.js";
import { MusicLDMError } from "../runtime/errors.js";
import { throwIfAborted } from "../runtime/native.js";
import { linearCombination } from "../tensor/domain.js";
import type { Tensor } from "../tensor/tensor.js";
import type { NoiseLevel, PredictionType, SolverPlan, SolverStep, Update } from "./plan.js";

/** Which evaluation of a plan it is. */
export interface Evaluation {
  /** Of `plan.steps`, from 0. */
  readonly index: number;
  /** May be fractional. */
  readonly timestep: number;
  /** Level of the state, before it was brought to unit variance. */
  readonly level: NoiseLevel;
}

/**
 * The network as a solver's loop sees it: unit-variance state `[B, C, T, F]` → its raw prediction
 * of the same shape, guidance included.
 */
export type Network = (state: Tensor, evaluation: Evaluation) => Promise<Tensor>;

export interface SampleOptions extends CallOptions {
  /** What the network predicts. */
  readonly predictionType: PredictionType;
  /** Draws unit noise of the state's shape, for stochastic solvers. */
  readonly drawNoise: () => Promise<Tensor>;
  /** Replaces the state before an evaluation (inpainting); the old one stays the loop's. */
  readonly adjust?: (state: Tensor, level: NoiseLevel) => Promise<Tensor>;
}

/**
 * Run a plan from a noisy state `[B, C, T, F]` to a clean one.
 *
 * @param start the state at the plan's start level; stays the caller's
 * @throws E_ABORTED, E_NONFINITE with `stage` and `step`
 */
export async function runPlan(
  plan: SolverPlan,
  start: Tensor,
  network: Network,
  options: SampleOptions,
): Promise<Tensor> {
  const registers = new Registers();
  registers.set("x", await start.clone());
  try {
    for (const [index, step] of plan.steps.entries()) {
      throwIfAborted(options.signal);
      await runStep({ ...step, index }, registers, network, options);
      await checkFinite(registers.get("x"), index);
      options.onProgress?.({ stage: "denoise", step: index + 1, totalSteps: plan.steps.length });
    }
    return registers.take("x");
  } finally {
    registers.dispose();
  }
}

async function runStep(
  step: SolverStep & Evaluation,
  registers: Registers,
  network: Network,
  options: SampleOptions,
): Promise<void> {
  const { level, updates } = step;
  if (options.adjust) registers.set("x", await options.adjust(registers.get("x"), level));
  const scale = 1 / Math.hypot(level.alpha, level.sigma);
  const state = registers.get("x");
  using input = await linearCombination([state], [scale]);
  using prediction = await network(input, step);
  registers.set("denoised", await toClean(state, prediction, level, options.predictionType));
  if (updates.some(readsNoise)) registers.set("noise", await options.drawNoise());
  for (const update of updates) await registers.apply(update);
}

function readsNoise({ terms }: Update): boolean {
  return terms.some(({ register }) => register === "noise");
}

/**
 * Turn a prediction into the clean sample: x = α·x0 + σ·ε, and v = α·ε − σ·x0 on the unit circle.
 *
 * Source: Salimans and Ho, "Progressive Distillation for Fast Sampling", 2022, appendix D.
 */
async function toClean(
  state: Tensor,
  prediction: Tensor,
  { alpha, sigma }: NoiseLevel,
  predictionType: PredictionType,
): Promise<Tensor> {
  if (predictionType === "sample") return prediction.clone();
  const square = alpha * alpha + sigma * sigma;
  const coefficients =
    predictionType === "epsilon"
      ? [1 / alpha, -sigma / alpha]
      : [alpha / square, -sigma / Math.sqrt(square)];
  return linearCombination([state, prediction], coefficients);
}

async function checkFinite(state: Tensor, index: number): Promise<void> {
  if (await state.allFinite()) return;
  const step = index + 1;
  const message = `Expected finite latents for stage denoise but step ${step} gave NaN or infinity`;
  throw new MusicLDMError("E_NONFINITE", message, { stage: "denoise", step });
}

/** The tensors that a plan names; owns them. */
class Registers {
  readonly #tensors = new Map<string, Tensor>();

  get(name: string): Tensor {
    const tensor = this.#tensors.get(name);
    if (tensor) return tensor;
    throw new MusicLDMError("E_INTERNAL", `The solver reads ${name} before it is written`, {
      name,
    });
  }

  set(name: string, tensor: Tensor): void {
    const previous = this.#tensors.get(name);
    if (previous !== tensor) previous?.dispose();
    this.#tensors.set(name, tensor);
  }

  take(name: string): Tensor {
    const tensor = this.get(name);
    this.#tensors.delete(name);
    return tensor;
  }

  async apply({ target, terms }: Update): Promise<void> {
    const tensors = terms.map(({ register }) => this.get(register));
    const coefficients = terms.map(({ coefficient }) => coefficient);
    this.set(target, await linearCombination(tensors, coefficients));
  }

  dispose(): void {
    for (const tensor of this.#tensors.values()) tensor.dispose();
    this.#tensors.clear();
  }
}
