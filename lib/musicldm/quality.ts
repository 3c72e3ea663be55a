import type { DeepCacheSettings } from "../diffusion/deep-cache.js";
import { defaultSampler, defaultSteps } from "../diffusion/plan.js";
import type { SolverName } from "../diffusion/solvers/index.js";
import type { GuidanceInterval } from "./guided.js";

export const qualityNames = ["draft", "standard", "reference"] as const;
/** How much time a generation may take; see docs/solvers.md. */
export type Quality = (typeof qualityNames)[number];

/** How latents are sampled, whatever the prompts, lengths and seeds. */
export interface Sampler {
  readonly scheduler: SolverName;
  readonly steps: number;
  /** Spacing of noise levels; absent: the scheduler config's. */
  readonly sigmas?: "karras" | "exponential";
  readonly guidanceInterval?: GuidanceInterval;
  readonly deepCache?: DeepCacheSettings;
}

const { solver: scheduler, steps, sigmas } = defaultSampler;

/** The choice is explained by the table in docs/solvers.md. */
export const qualities: Readonly<Record<Quality, Sampler>> = {
  draft: { scheduler, steps: 10, sigmas, deepCache: { interval: 2, branch: 3 } },
  standard: { scheduler, steps, sigmas },
  reference: { scheduler: "ddim", steps: defaultSteps("ddim") },
};

/**
 * Put what a call asks for in place of what a preset says. A scheduler that the call names comes
 * with its own steps and noise levels, as solver and grid belong together; savings stay.
 */
export function chooseSampler(quality: Quality, wanted: Partial<Sampler>): Sampler {
  const preset = qualities[quality];
  if (wanted.scheduler === undefined) return { ...preset, ...wanted };
  const { guidanceInterval, deepCache } = preset;
  return {
    ...(guidanceInterval && { guidanceInterval }),
    ...(deepCache && { deepCache }),
    scheduler: wanted.scheduler,
    steps: defaultSteps(wanted.scheduler),
    ...wanted,
  };
}
