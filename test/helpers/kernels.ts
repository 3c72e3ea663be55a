import type { ExecutionContext } from "ava";
import type { Module, NamedTensors, Packing } from "../../lib/nn/module.js";
import { call } from "../../lib/runtime/native.js";
import { Tensor } from "../../lib/tensor/tensor.js";
import { assertClose } from "./golden.js";

/** The instruction sets that this machine can run, best first. */
export const capabilities = await call<readonly string[]>("kernels.capabilities", []);

export const packings: readonly Packing[] = ["none", "compact", "fast"];

export async function selectCapability(name: string): Promise<void> {
  await call("kernels.select_capability", [name]);
}

/** Go back to the best instruction set. */
export async function restoreCapability(): Promise<void> {
  await selectCapability(capabilities[0] ?? "portable");
}

export type Operator = "winograd" | "direct" | "conv1d" | "product" | "attention" | "norm" | "pack";

export type OperatorCalls = Readonly<Record<Operator, number>>;

/** Count the calls of each operator of the kernels during an action. */
export async function countCalls(action: () => Promise<unknown>): Promise<OperatorCalls> {
  await call("kernels.reset_profile", []);
  await action();
  const totals = await call<Readonly<Record<string, { calls: number }>>>("kernels.profile", []);
  const entries = Object.entries(totals).map(([name, { calls }]) => [name, calls]);
  return Object.fromEntries(entries) as OperatorCalls;
}

/** A 2-D convolution with an output of this size. */
export interface ConvShape {
  readonly batch: number;
  readonly height: number;
  readonly width: number;
  readonly in_channels: number;
  readonly out_channels: number;
  readonly kernel: number;
  readonly stride: number;
}

/** Which algorithm the kernels choose, as "direct" or "winograd 4x4". */
export async function algorithmOf(shape: ConvShape, packing: Packing): Promise<string> {
  return call<string>("kernels.algorithm", [shape, packing === "compact"]);
}

/**
 * Fill a module with normal numbers whose sums keep the size of what they sum; vectors, which are
 * biases and what norms scale and shift by, get a mean of ½.
 */
export async function randomise(module: Module, seed: number): Promise<void> {
  await module.initialise(0);
  const old = await module.state();
  const drawn: Record<string, Tensor> = {};
  for (const [i, [name, { shape }]] of Object.entries(old).entries()) {
    using noise = await Tensor.randn(shape, { seed: 1000 * seed + i });
    const fan = shape.slice(1).reduce((product, size) => product * size, 1);
    using scaled = await noise.mul(1 / Math.sqrt(fan));
    drawn[name] = await scaled.add(shape.length === 1 ? 0.5 : 0);
  }
  await module.load(drawn);
  release(old, drawn);
}

export function release(...maps: readonly NamedTensors[]): void {
  for (const tensor of maps.flatMap((map) => Object.values(map))) tensor.dispose();
}

/** What a packed network is compared in. */
export interface PackedCase {
  readonly module: Module;
  readonly forward: () => Promise<Tensor>;
  readonly limit: number;
  readonly what: string;
  /** Looks at what ran. */
  readonly inspect?: (calls: OperatorCalls, packing: Packing) => unknown;
}

/** Assert that packing changes no result, and that packed kernels make it. */
export async function assertPackedEqual(t: ExecutionContext, item: PackedCase): Promise<void> {
  const { module, forward, limit, what, inspect } = item;
  await module.pack("none");
  const wanted: Tensor[] = [];
  const none = await countCalls(async () => wanted.push(await forward()));
  t.true(
    Object.values(none).every((calls) => calls === 0),
    `${what}: kernels run unpacked`,
  );
  for (const packing of ["compact", "fast"] as const) {
    await module.pack(packing);
    const results: Tensor[] = [];
    const calls = await countCalls(async () => results.push(await forward()));
    t.true(calls.direct + calls.winograd + calls.product > 0, `${what}: nothing ran packed`);
    if (packing === "compact") t.is(calls.winograd, 0, what);
    await inspect?.(calls, packing);
    await assertClose(t, [results[0]!, wanted[0]!], limit, `${what} ${packing}`);
    for (const tensor of results) tensor.dispose();
  }
  for (const tensor of wanted) tensor.dispose();
}
