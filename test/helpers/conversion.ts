import { readFile } from "node:fs/promises";
import type { ExecutionContext } from "ava";
import { Checkpoint } from "../../lib/checkpoint/checkpoint.js";
import { readSafetensors, writeSafetensors } from "../../lib/checkpoint/safetensors.js";
import type { Tensor } from "../../lib/tensor/tensor.js";

/** Write one side of a golden pair as a file of its own; `change` may alter it. */
export async function writeSide(
  golden: string,
  prefix: string,
  path: string,
  change: (tensors: Record<string, Tensor>) => void = () => undefined,
): Promise<void> {
  using content = await readSafetensors(`test/goldens/${golden}.safetensors`);
  const tensors: Record<string, Tensor> = {};
  for (const [name, tensor] of Object.entries(content.tensors)) {
    if (name.startsWith(prefix)) tensors[name.slice(prefix.length)] = tensor;
  }
  change(tensors);
  await writeSafetensors(path, tensors);
}

/** Names of the tensors of a file, sorted. */
export async function namesOf(path: string): Promise<readonly string[]> {
  using checkpoint = await Checkpoint.open(path);
  return checkpoint.entries.map(({ name }) => name).sort();
}

/** Assert that two files hold the same tensors, bit for bit, under the same names. */
export async function assertSameTensors(
  t: ExecutionContext,
  actual: string,
  wanted: string,
): Promise<void> {
  using left = await Checkpoint.open(actual);
  using right = await Checkpoint.open(wanted);
  const describe = ({ entries }: Checkpoint): unknown =>
    Object.fromEntries(
      entries.map(({ name, dtype, shape }) => [name, `${dtype} [${shape.join()}]`] as const),
    );
  t.deepEqual(describe(left), describe(right));
  const bytes = await Promise.all([actual, wanted].map((path) => readFile(path)));
  for (const entry of right.entries) {
    const other = left.entries.find(({ name }) => name === entry.name);
    const [a, b] = [other ?? entry, entry].map(({ offset, bytes: size }, i) =>
      bytes[i]?.subarray(offset, offset + size),
    );
    t.true(a?.equals(b ?? Buffer.alloc(0)) === true, entry.name);
  }
}
