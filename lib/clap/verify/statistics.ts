import type { Checkpoint } from "../../checkpoint/index.js";
import type { CallOptions } from "../../runtime/abort.js";
import { throwIfAborted } from "../../runtime/native.js";

/** What is known of a weight without its values. */
export interface WeightStatistic {
  readonly mean: number;
  /** Root of the mean square. */
  readonly rms: number;
  readonly isFinite: boolean;
}

export type Statistics = ReadonlyMap<string, WeightStatistic>;

/** Measure every floating tensor of a checkpoint. Errors: `E_ABORTED`, `E_CHECKPOINT`. */
export async function measureWeights(
  checkpoint: Checkpoint,
  { signal }: CallOptions,
): Promise<Statistics> {
  const measured = new Map<string, WeightStatistic>();
  for (const { name, dtype } of checkpoint.entries) {
    throwIfAborted(signal);
    if (!/^(F|BF)\d+$/.test(dtype)) continue;
    using tensor = await checkpoint.tensor(name, { dtype: "float32" });
    if (tensor.size === 0) continue;
    using mean = await tensor.mean();
    using norm = await tensor.norm();
    measured.set(name, {
      mean: await mean.item(),
      rms: (await norm.item()) / Math.sqrt(tensor.size),
      isFinite: await tensor.allFinite(),
    });
  }
  return measured;
}

const normWeight = /(?:norm|LayerNorm|layernorm_(?:before|after)|ln_\w+|bn\d)\.weight$/i;

/** Training moves the weights of norms away from the 1 where they start. */
export function looksTrained(statistics: Statistics): boolean {
  const norms = [...statistics].filter(([name]) => normWeight.test(name));
  return norms.some(([, { mean, rms }]) => Math.abs(mean - 1) > 1e-4 || Math.abs(rms - 1) > 1e-4);
}
