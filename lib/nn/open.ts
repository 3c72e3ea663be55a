import { openWeights } from "../checkpoint/index.js";
import type { WeightFiles } from "../checkpoint/index.js";
import type { CallOptions } from "../runtime/abort.js";
import { requireOptions } from "../runtime/arguments.js";
import { requireDevice } from "../runtime/devices.js";
import { expected } from "../runtime/errors.js";
import type { DType } from "../runtime/native.js";
import { packings } from "./module.js";
import type { Module, Packing } from "./module.js";

/** Where and how the networks of a model infer. */
export interface InferencePlace {
  readonly device: string;
  readonly dtype: DType;
  readonly packing: Packing;
}

const dtypes = ["float32", "float16", "bfloat16"] as const;

/** Fill in the defaults of a place: CPU, float32, fast. @throws E_ARGUMENT, E_NO_CUDA */
export function checkPlace(options: Partial<InferencePlace>): InferencePlace {
  const { device = "cpu", dtype = "float32", packing = "fast" } = options;
  if (!packings.includes(packing)) {
    throw expected("E_ARGUMENT", `one of ${packings.join(", ")}`, "packing", packing);
  }
  if (!dtypes.some((known) => known === dtype)) {
    throw expected("E_ARGUMENT", `one of ${dtypes.join(", ")}`, "dtype", dtype);
  }
  requireDevice(device);
  return { device, dtype, packing };
}

/** Refuse an option that a loader does not have. @throws E_ARGUMENT */
export function requireKnown(options: CallOptions, names: readonly string[]): void {
  requireOptions(options);
  const unknown = Object.keys(options).filter((name) => !names.includes(name));
  if (unknown.length === 0) return;
  throw expected("E_ARGUMENT", "known options", "options", unknown.join(", "));
}

/** Load a network's weights and make it ready to infer. Errors: `E_IO`, `E_CHECKPOINT`. */
export async function fillModule(
  module: Module,
  weights: WeightFiles,
  { device, dtype, packing }: InferencePlace,
  { signal }: CallOptions = {},
): Promise<void> {
  using checkpoint = await openWeights(weights);
  await module.load(checkpoint, { dtype, ...(signal && { signal }) });
  await module.eval();
  await module.pack(packing);
  if (device !== "cpu") await module.to({ device });
}
