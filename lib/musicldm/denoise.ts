import type { SolverPlan } from "../diffusion/plan.js";
import type { NoiseLevel, PredictionType } from "../diffusion/plan.js";
import { runPlan } from "../diffusion/sample.js";
import type { Network } from "../diffusion/sample.js";
import type { UNet } from "../diffusion/unet.js";
import type { CallOptions } from "../runtime/abort.js";
import type { DType } from "../runtime/native.js";
import { guidance } from "../tensor/domain.js";
import { Tensor } from "../tensor/tensor.js";
import type { Conditioning } from "./conditioning.js";
import type { Item, NoiseSource } from "./items.js";

/** Everything that stays the same over the steps of a run. */
export interface DenoiseSettings {
  readonly unet: UNet;
  readonly plan: SolverPlan;
  readonly predictionType: PredictionType;
  readonly conditioning: Conditioning;
  readonly guidanceScale: number;
  readonly loop: boolean;
  /** Of the UNet; states are float32 throughout. */
  readonly dtype: DType;
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
  using labels = await classLabels(settings, items);
  const { plan, predictionType, adjust } = settings;
  return await runPlan(plan, start, guidedNetwork(settings, labels, call), {
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

/** One evaluation for both halves of the guidance; one half where there is none. */
function guidedNetwork(
  { unet, conditioning, guidanceScale, loop, dtype }: DenoiseSettings,
  labels: Tensor,
  { signal }: CallOptions,
): Network {
  const forward = async (state: Tensor, timestep: number): Promise<Tensor> => {
    using input = await state.to(dtype);
    using output = await unet.forward(input, timestep, labels, { circular: loop, signal });
    return await output.to("float32");
  };
  if (!conditioning.negative) return forward;
  return async (state, timestep) => {
    using twice = await Tensor.cat([state, state]);
    using prediction = await forward(twice, timestep);
    const [unconditional, conditional] = await prediction.chunk(2);
    using first = unconditional!;
    using second = conditional!;
    return await guidance(first, second, guidanceScale);
  };
}
