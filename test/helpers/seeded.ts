import type { NamedTensors } from "../../lib/nn/module.js";
import { Tensor } from "../../lib/tensor/tensor.js";
import type { Golden } from "./golden.js";
import { release } from "./kernels.js";

/** Key, shape, seed, mean, deviation, and whether the noise is squared: a line of seeded.py. */
type PlanLine = readonly [string, readonly number[], number, number, number, boolean];

async function drawSeeded([, shape, seed, mean, deviation, squared]: PlanLine): Promise<Tensor> {
  using noise = await Tensor.randn(shape, { seed });
  using scaled = await noise.mul(deviation);
  using scattered = squared ? await scaled.mul(scaled) : await scaled.clone();
  return await scattered.add(mean);
}

/** Weights that are drawn from seeds; disposing them disposes the tensors. */
export interface Seeded extends Disposable {
  readonly tensors: NamedTensors;
}

/** Draw the weights that a golden was made with, with zero counters beside running statistics. */
export async function seededWeights(golden: Golden, part?: string): Promise<Seeded> {
  const parsed = JSON.parse(golden.metadata["weights"] ?? "[]") as unknown;
  const lines = (part === undefined ? parsed : (parsed as never)[part]) as readonly PlanLine[];
  const tensors: Record<string, Tensor> = {};
  for (const line of lines) {
    const [key] = line;
    tensors[key] = await drawSeeded(line);
    if (!key.endsWith("running_var")) continue;
    const counter = key.replace("running_var", "num_batches_tracked");
    tensors[counter] = await Tensor.zeros([], { dtype: "int64" });
  }
  return { tensors, [Symbol.dispose]: () => release(tensors) };
}

/** What an audio tower was given in a case: log-mels, and which rows are longer. */
export interface AudioCase extends Disposable {
  readonly name: string;
  readonly features: Tensor;
  readonly isLonger: readonly boolean[] | null;
}

/** The names of a golden's cases. */
export function caseNames(golden: Golden): readonly string[] {
  return Object.keys(JSON.parse(golden.metadata["features"] ?? "{}") as object);
}

/** Draw the log-mels of a case. */
export async function seededCase(golden: Golden, name: string): Promise<AudioCase> {
  const read = <T>(key: string): Readonly<Record<string, T>> =>
    JSON.parse(golden.metadata[key] ?? "{}") as Readonly<Record<string, T>>;
  const [seed, shape] = read<readonly [number, readonly number[]]>("features")[name]!;
  const features = await drawSeeded(["", shape, seed, -20, 12, false]);
  const isLonger = read<readonly boolean[] | null>("longer")[name] ?? null;
  return { name, features, isLonger, [Symbol.dispose]: () => features.dispose() };
}
