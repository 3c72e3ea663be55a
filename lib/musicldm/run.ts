import type { SolverPlan } from "../diffusion/plan.js";
import { createPlan } from "../diffusion/plan.js";
import type { NoiseLevel } from "../diffusion/plan.js";
import type { CallOptions } from "../runtime/abort.js";
import { expected } from "../runtime/errors.js";
import type { Tensor } from "../tensor/tensor.js";
import { embedPrompts } from "./conditioning.js";
import type { Conditioning } from "./conditioning.js";
import { denoise } from "./denoise.js";
import { isInside } from "./guided.js";
import { Results } from "./results.js";
import type { ClipLength } from "./frames.js";
import { batchesOf, listItems, NoiseSource } from "./items.js";
import type { Item } from "./items.js";
import type { Networks } from "./networks.js";
import type { CheckedSampling } from "./options.js";
import type { GenerationResult } from "./types.js";

/** One batch on its way: what a strategy may look at. */
export interface Batch {
  readonly items: readonly Item[];
  readonly noise: NoiseSource;
}

/** How a run starts, is steered and ends; `generate` and `edit` differ in this alone. */
export interface RunPlan {
  readonly length: ClipLength;
  readonly loop: boolean;
  /** Steps to skip, for a run that starts from a source. */
  readonly startStep?: number;
  /** Make the states `[items, C, T, F]` at the plan's start level. */
  readonly start: (plan: SolverPlan, batch: Batch) => Promise<Start>;
  /** Make the final latents out of what was denoised. Default: as they are. */
  readonly finish?: (latents: Tensor) => Promise<Tensor>;
}

export interface Start {
  readonly state: Tensor;
  readonly adjust?: (state: Tensor, level: NoiseLevel) => Promise<Tensor>;
  /** Frees what `adjust` uses. */
  readonly dispose?: () => void;
}

/** Run the chain text → latents → mel → waveform for every item. */
export async function run(
  networks: Networks,
  options: CheckedSampling,
  runPlan: RunPlan,
  call: CallOptions,
): Promise<GenerationResult> {
  const { scheduler: solver, steps, eta, sigmas, guidanceScale, guidanceInterval } = options;
  const { startStep } = runPlan;
  const plan = createPlan(networks.scheduler, { solver, steps, eta, sigmas, startStep });
  checkBranch(networks, options);
  const isGuided =
    guidanceScale > 1 && plan.steps.some(({ level }) => isInside(level, guidanceInterval));
  using conditioning = await embedPrompts(networks.textEncoder, options, isGuided, call);
  const promptCount = conditioning.positive.shape[0] ?? 0;
  const items = listItems(promptCount, options.count, options.seed);
  const size = options.batchSize ?? (networks.device === "cpu" ? 1 : items.length);
  const batches = batchesOf(items, size);
  const results = new Results(networks, options, runPlan, items.length);
  try {
    for (const [index, batch] of batches.entries()) {
      const progress = spread(call, index, batches.length);
      using latents = await runBatch({ networks, options, plan, runPlan }, conditioning, batch, {
        ...call,
        onProgress: progress,
      });
      await results.add(batch, latents, call);
    }
    return await results.finish(items, conditioning);
  } catch (error) {
    results.dispose();
    throw error;
  }
}

function checkBranch({ unet }: Networks, { deepCache }: CheckedSampling): void {
  const { branch = 0 } = deepCache ?? {};
  if (branch < unet.skips) return;
  throw expected("E_ARGUMENT", `an integer in 0..${unet.skips - 1}`, "deepCache.branch", branch);
}

interface Context {
  readonly networks: Networks;
  readonly options: CheckedSampling;
  readonly plan: SolverPlan;
  readonly runPlan: RunPlan;
}

async function runBatch(
  { networks, options, plan, runPlan }: Context,
  conditioning: Conditioning,
  items: readonly Item[],
  call: CallOptions,
): Promise<Tensor> {
  const { unet, vae, device, scheduler } = networks;
  const bins = networks.vocoder.config.model_in_dim / vae.downscale;
  const shape = [unet.config.in_channels, runPlan.length.latentFrames, bins];
  using noise = new NoiseSource(items, shape, device);
  const start = await runPlan.start(plan, { items, noise });
  try {
    const settings = {
      unet,
      plan,
      conditioning,
      predictionType: scheduler.predictionType,
      guidanceScale: options.guidanceScale,
      guidanceInterval: options.guidanceInterval,
      deepCache: options.deepCache,
      loop: runPlan.loop,
      dtype: networks.dtype,
      ...(start.adjust && { adjust: start.adjust }),
    };
    const latents = await denoise(settings, items, start.state, noise, call);
    if (!runPlan.finish) return latents;
    using owned = latents;
    return await runPlan.finish(owned);
  } finally {
    start.state.dispose();
    start.dispose?.();
  }
}

/** Make the steps of one batch those of all batches. */
function spread({ onProgress }: CallOptions, index: number, count: number) {
  if (!onProgress) return undefined;
  return ({ stage, step, totalSteps }: { stage: string; step: number; totalSteps: number }) => {
    onProgress({ stage, step: index * totalSteps + step, totalSteps: count * totalSteps });
  };
}
