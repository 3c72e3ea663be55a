import { MusicLDMError } from "../runtime/errors.js";
import type { Tensor } from "../tensor/tensor.js";

/** Check what a stage of one step hands on. @throws E_NONFINITE with `stage` and `step` */
export async function requireFinite(tensor: Tensor, stage: string): Promise<void> {
  if (await tensor.allFinite()) return;
  const message = `Expected a finite result for stage ${stage} but it has NaN or infinity`;
  throw new MusicLDMError("E_NONFINITE", message, { stage, step: 1 });
}
