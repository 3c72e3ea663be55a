import test from "ava";
import { Tensor } from "../lib/tensor/tensor.js";
import { declareLifetimeTest, declareOpTests } from "./helpers/tensor-ops.js";

declareLifetimeTest();

type Pair = Promise<{ readonly values: Tensor; readonly indices: Tensor }>;

/** Keep one tensor of a pair. */
async function pick(pair: Pair, name: "values" | "indices"): Promise<Tensor> {
  const { values, indices } = await pair;
  (name === "values" ? indices : values).dispose();
  return name === "values" ? values : indices;
}

declareOpTests(1e-6, {
  sum: (x) => x("a").sum(),
  mean: (x) => x("a").mean(),
  std: (x) => x("a").std(),
  var: (x) => x("a").var(),
  norm: (x) => x("a").norm(),
  sum_dims: (x) => x("a").sum([0, -1]),
  sum_keep: (x) => x("a").sum(1, { keepDim: true }),
  sum_integers: (x) => x("integers").sum(2),
  sum_bool: (x) => x("mask").sum(),
  mean_dims: (x) => x("a").mean([1, 2], { keepDim: true }),
  std_dim: (x) => x("a").std(2),
  var_biased: (x) => x("a").var([0, 2], { correction: 0 }),
  min: (x) => x("a").min(),
  max_dim: (x) => x("a").max(1),
  max_integers: (x) => x("integers").max([0, 1]),
  argmax: (x) => x("a").argmax(),
  argmax_dim: (x) => x("a").argmax(-1),
  argmin_keep: (x) => x("a").argmin(0, { keepDim: true }),
  norm_dim: (x) => x("a").norm(2),
  norm_one: (x) => x("a").norm([0, 1], { order: 1 }),
  norm_infinity: (x) => x("a").norm(1, { order: Infinity }),
  all: (x) => x("mask").all(2),
  any: (x) => x("mask").any(1),
  cumsum: (x) => x("a").cumsum(2),
  topk_values: (x) => pick(x("a").topk(2), "values"),
  topk_indices: (x) => pick(x("a").topk(2), "indices"),
  sort_values: (x) => pick(x("a").sort(1, { descending: true }), "values"),
  sort_indices: (x) => pick(x("a").sort(1, { descending: true }), "indices"),
});

test.serial("a reduction in steps equals one over all dimensions", async (t) => {
  using a = await Tensor.randint(-9, 10, [3, 4, 5], { seed: 5 });
  using view = await a.permute([2, 0, 1]);
  using rows = await view.sum(0);
  using inSteps = await rows.sum();
  using atOnce = await a.sum([0, 1, 2]);
  using byNoDims = await a.sum([]);
  t.is(await inSteps.item(), await atOnce.item());
  t.is(await byNoDims.item(), await atOnce.item());
});

test.serial("empty tensors have a sum but no extremes", async (t) => {
  using none = await Tensor.zeros([2, 0]);
  using total = await none.sum();
  using rows = await none.sum(1);
  using mean = await none.mean();
  using columns = await none.max(0);
  t.is(await total.item(), 0);
  t.deepEqual(await rows.data(), new Float32Array(2));
  t.true(Number.isNaN(await mean.item()));
  t.deepEqual(columns.shape, [0]);
  await t.throwsAsync(none.max(), { code: "E_SHAPE" });
  await t.throwsAsync(none.min(1), { code: "E_SHAPE" });
  await t.throwsAsync(none.argmax(), { code: "E_SHAPE" });
});

test.serial("bad arguments are refused", async (t) => {
  using a = await Tensor.zeros([2, 3]);
  using integers = await a.to("int64");
  await t.throwsAsync(a.sum(2), { code: "E_ARGUMENT" });
  await t.throwsAsync(a.sum([0, -2]), { code: "E_ARGUMENT" });
  await t.throwsAsync(a.sum(0.5), { code: "E_ARGUMENT" });
  await t.throwsAsync(a.std(0, { correction: -1 }), { code: "E_ARGUMENT" });
  await t.throwsAsync(a.topk(4), { code: "E_ARGUMENT" });
  await t.throwsAsync(a.cumsum("0" as unknown as number), { code: "E_ARGUMENT" });
  for (const op of ["mean", "std", "var", "norm"] as const) {
    await t.throwsAsync(integers[op](), { code: "E_DTYPE", message: new RegExp(op) });
  }
});
