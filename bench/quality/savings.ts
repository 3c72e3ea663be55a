import type { DeepCacheSettings } from "../../lib/diffusion/deep-cache.js";
import type { GuidanceInterval } from "../../lib/musicldm/guided.js";
import { qualities } from "../../lib/musicldm/quality.js";
import type { Sampler } from "../../lib/musicldm/quality.js";

/** Solvers with their best grid, and the reference pipeline's. */
export const contenders: readonly Omit<Sampler, "steps">[] = [
  { scheduler: "ddim" },
  { scheduler: "pndm" },
  { scheduler: "heun", sigmas: "karras" },
  { scheduler: "lms", sigmas: "exponential" },
  { scheduler: "dpmsolver++", sigmas: "exponential" },
  { scheduler: "unipc", sigmas: "karras" },
  { scheduler: "unipc", sigmas: "exponential" },
];

/** Above all noise levels of the schedule, whose highest is 83.8. */
const top = 1000;

const intervals: readonly GuidanceInterval[] = [
  [top, 0.1],
  [top, 0.3],
  [20, 0],
  [10, 0],
  [5.42, 0.28],
];
const caches: readonly DeepCacheSettings[] = [2, 3, 5].flatMap((interval) =>
  [0, 3, 6, 9].map((branch) => ({ interval, branch })),
);

/** Parts of the way down that shallow passes are timed for. */
export const branches: readonly number[] = [...new Set(caches.map(({ branch }) => branch ?? 0))];

/** What may be saved of the standard sampler. */
export const savings: readonly Partial<Sampler>[] = [
  ...intervals.map((guidanceInterval) => ({ guidanceInterval })),
  ...caches.map((deepCache) => ({ deepCache })),
  ...[2, 3].flatMap((interval) =>
    [intervals[1]!, intervals[4]!].map((guidanceInterval) => ({
      guidanceInterval,
      deepCache: { interval, branch: 6 },
    })),
  ),
];

export const standard: Omit<Sampler, "steps"> = {
  scheduler: qualities.standard.scheduler,
  ...(qualities.standard.sigmas && { sigmas: qualities.standard.sigmas }),
};

export function describe({ guidanceInterval, deepCache }: Partial<Sampler>): string {
  const parts: string[] = [];
  if (guidanceInterval) {
    const [high, low] = guidanceInterval;
    parts.push(`guided at ${high === top ? "" : `${high} ≥ `}σ${low > 0 ? ` ≥ ${low}` : ""}`);
  }
  if (deepCache) parts.push(`DeepCache ${deepCache.interval}, branch ${deepCache.branch ?? 0}`);
  return parts.join("; ") || "none";
}

/** Steps that cost at most so many evaluations. */
export function stepsWithin({ scheduler }: Omit<Sampler, "steps">, evaluations: number): number {
  if (scheduler === "heun") return Math.floor((evaluations + 1) / 2);
  return scheduler === "pndm" ? evaluations - 1 : evaluations;
}
