import test from "ava";
import { memory } from "../../lib/runtime/native.js";
import type { Tensor } from "../../lib/tensor/tensor.js";
import { openGolden, relativeNorm } from "./golden.js";

/** The operands of test/reference/tensor_ops.py, by name. */
export type Operands = (name: string) => Tensor;

export type OpCases = Readonly<Record<string, (x: Operands) => Promise<Tensor>>>;

/**
 * Declare one test per op: its result has the shape of PyTorch's, the dtype where that is not a
 * float, and the values, exactly for integers and within a relative norm for floats.
 */
export function declareOpTests(limit: number, cases: OpCases): void {
  for (const [name, run] of Object.entries(cases)) {
    test.serial(`${name} equals PyTorch`, async (t) => {
      using golden = await openGolden("tensor-ops");
      const wanted = golden.get(`output.${name}`);
      using actual = await run((key) => golden.get(`input.${key}`));
      t.deepEqual(actual.shape, wanted.shape);
      if (wanted.dtype !== "float32") {
        t.is(actual.dtype, wanted.dtype);
        t.deepEqual(await actual.data(), await wanted.data());
        return;
      }
      const norm = await relativeNorm(actual, wanted);
      t.log(`${norm.toExponential(1)} of ${limit}`);
      t.true(norm <= limit, `${norm} for ${actual.toString()}`);
    });
  }
}

/** Assert at the end of a test file that every handle was disposed. */
export function declareLifetimeTest(): void {
  const { handles, bytes } = memory();
  test.after((t) => {
    t.deepEqual(memory(), { handles, bytes });
  });
}

/** Run an op on a temporary operand, which is disposed afterwards. */
export async function through(
  operand: Promise<Tensor>,
  op: (tensor: Tensor) => Promise<Tensor>,
): Promise<Tensor> {
  using tensor = await operand;
  return await op(tensor);
}
