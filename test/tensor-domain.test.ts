import test from "ava";
import { guidance, linearCombination } from "../lib/tensor/domain.js";
import { Tensor } from "../lib/tensor/tensor.js";
import { declareLifetimeTest } from "./helpers/tensor-ops.js";

declareLifetimeTest();

/** Combine in float64 and round once. */
async function combined(tensors: readonly Tensor[], by: readonly number[]): Promise<Float32Array> {
  const sources = await Promise.all(tensors.map((tensor) => tensor.floats()));
  return Float32Array.from(sources[0] ?? [], (_, i) =>
    sources.reduce((sum, source, k) => sum + (by[k] ?? NaN) * (source[i] ?? NaN), 0),
  );
}

test.serial("a linear combination is rounded once", async (t) => {
  const by = [0.3, -1.7, 1e-3];
  for (const shape of [[], [1], [3, 511], [2, 8, 40, 67], [0, 2]]) {
    using a = await Tensor.randn(shape, { seed: 1 });
    using b = await Tensor.randn(shape, { seed: 2 });
    using c = await Tensor.randn(shape, { seed: 3 });
    for (const count of [1, 2, 3]) {
      const tensors = [a, b, c].slice(0, count);
      const coefficients = by.slice(0, count);
      using result = await linearCombination(tensors, coefficients);
      t.deepEqual(result.shape, shape);
      t.deepEqual(await result.data(), await combined(tensors, coefficients));
    }
  }
});

test.serial("views and one tensor twice combine as copies do", async (t) => {
  using a = await Tensor.randn([5, 7], { seed: 1 });
  using view = await a.transpose(0, 1);
  using other = await Tensor.randn([7, 5], { seed: 2 });
  using result = await linearCombination([view, other, view], [2, 1, -2]);
  t.deepEqual(result.shape, [7, 5]);
  t.true(await result.allClose(other));
});

test.serial("half precision is accumulated in float32", async (t) => {
  for (const dtype of ["float16", "bfloat16"] as const) {
    using a = await Tensor.from([256, 1], undefined, { dtype });
    using b = await Tensor.from([0.5, 1], undefined, { dtype });
    using result = await linearCombination([a, b, b], [1, 0.5, 0.5]);
    t.is(result.dtype, dtype);
    t.deepEqual(await result.data(), Float32Array.of(dtype === "float16" ? 256.5 : 256, 2));
  }
});

test.serial("guidance moves from one prediction through the other", async (t) => {
  using u = await Tensor.from([1, 2]);
  using c = await Tensor.from([3, -2]);
  for (const [scale, values] of [
    [0, [1, 2]],
    [1, [3, -2]],
    [2.5, [6, -8]],
  ] as const) {
    using result = await guidance(u, c, scale);
    t.deepEqual(await result.data(), Float32Array.from(values));
  }
});

test.serial("gradients are the coefficients", async (t) => {
  using a = await Tensor.randn([3], { seed: 1 });
  using b = await Tensor.randn([3], { seed: 2 });
  await b.requiresGrad();
  using result = await linearCombination([a, b], [2, -0.5]);
  using total = await result.sum();
  await total.backward();
  using gradient = await b.grad();
  t.deepEqual(await gradient?.data(), Float32Array.of(-0.5, -0.5, -0.5));
  t.is(await a.grad(), null);
});

test.serial("one bad element anywhere is found", async (t) => {
  for (const dtype of ["float32", "float16", "bfloat16"] as const) {
    for (const bad of [NaN, Infinity, -Infinity]) {
      for (const place of [0, 16_384, 99_999]) {
        const values = new Float32Array(100_000).fill(3e38);
        if (dtype === "float16") values.fill(65_504);
        using good = await Tensor.from(values, [100, 1000], { dtype });
        t.true(await good.allFinite());
        values[place] = bad;
        using tensor = await Tensor.from(values, [100, 1000], { dtype });
        using view = await tensor.transpose(0, 1);
        t.false(await tensor.allFinite());
        t.false(await view.allFinite());
      }
    }
  }
});

test.serial("a view is judged by its own elements", async (t) => {
  using a = await Tensor.from([
    [1, NaN],
    [2, 3],
  ]);
  using good = await a.slice(1, 0, 1);
  using bad = await a.slice(1, 1);
  using wide = await bad.expand([2, 2]);
  using none = await a.slice(0, 0, 0);
  using integers = await a.to("int64");
  t.true(await good.allFinite());
  t.false(await bad.allFinite());
  t.false(await wide.allFinite());
  t.true(await none.allFinite());
  t.true(await integers.allFinite());
});

test.serial("bad arguments are refused", async (t) => {
  using a = await Tensor.zeros([2]);
  using b = await Tensor.zeros([1]);
  await t.throwsAsync(linearCombination([], []), { code: "E_ARGUMENT" });
  await t.throwsAsync(linearCombination([a], [1, 2]), { code: "E_ARGUMENT" });
  await t.throwsAsync(linearCombination([a], ["1" as unknown as number]), { code: "E_ARGUMENT" });
  await t.throwsAsync(linearCombination([a, b], [1, 2]), {
    code: "E_SHAPE",
    message: /\[2\], \[1\]/,
  });
  await t.throwsAsync(guidance(a, b, 2), { code: "E_SHAPE" });
  await t.throwsAsync(guidance(a, a, undefined as unknown as number), { code: "E_ARGUMENT" });
});
