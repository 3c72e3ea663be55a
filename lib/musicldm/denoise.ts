import type { NoiseLevel, PredictionType, SolverPlan } from "../diffusion/plan.js";
import { runPlan } from "../diffusion/sample.js";
import type { CallOptions } from "../runtime/abort.js";
import { Tensor } from "../tensor/tensor.js";
import type { Conditioning } from "./conditioning.js";
import { GuidedUNet } from "./guided.js";
import type { GuidedSettings } from "./guided.js";
import type { Item, NoiseSource } from "./items.js";

/** Everything that stays the same over the steps of a run. */
export interface DenoiseSettings extends GuidedSettings {
  readonly plan: SolverPlan;
  readonly predictionType: PredictionType;
  readonly conditioning: Conditioning;
  /** Replaces the state before an evaluation (inpainting). */
  readonly adjust?: (state: Tensor, level: NoiseLevel) => Promise<Tensor>;
}

/**
 * Denoise one batch: states `[items, C, T, F]` at the plan's start level → scaled latents.
 *
 * @throws E_ABORTED, E_NONFINITE
 */
export async function denoise(
  settings: DenoiseSettings,
  items: readonly Item[],
  start: Tensor,
  noise: NoiseSource,
  call: CallOptions,
): Promise<Tensor> {
  const { plan, predictionType, adjust } = settings;
  using labels = await classLabels(settings, items);
  const timesteps = plan.steps.map(({ timestep }) => timestep);
  using network = await GuidedUNet.create(settings, labels, timesteps, call);
  return await runPlan(plan, start, network.predict, {
    ...call,
    predictionType,
    drawNoise: async () => noise.draw(),
    ...(adjust && { adjust }),
  });
}

/** Rows of the items' prompts; with guidance all negative rows first, as in diffusers. */
async function classLabels(
  { conditioning, dtype }: DenoiseSettings,
  items: readonly Item[],
): Promise<Tensor> {
  const rows = BigInt64Array.from(items, ({ promptIndex }) => BigInt(promptIndex));
  const { positive, negative } = conditioning;
  using indices = await Tensor.from(rows, [rows.length], { device: positive.device });
  using wanted = await positive.indexSelect(0, indices);
  if (!negative) return await wanted.to(dtype);
  using unwanted = await negative.indexSelect(0, indices);
  using both = await Tensor.cat([unwanted, wanted]);
  return await both.to(dtype);
}
