import test from "ava";
import { Tensor } from "../lib/tensor/tensor.js";
import { measureSlopes } from "./helpers/gradient.js";
import { declareLifetimeTest } from "./helpers/tensor-ops.js";

declareLifetimeTest();

test.serial("backward gathers gradients in the leaf", async (t) => {
  using x = await (await Tensor.from([1, 2, 3])).requiresGrad();
  t.true(await x.isRequiringGrad());
  t.is(await x.grad(), null);
  for (const times of [1, 2]) {
    using squares = await x.pow(2);
    using loss = await squares.sum();
    await loss.backward();
    using gradient = await x.grad();
    t.deepEqual(await gradient?.data(), Float32Array.of(2 * times, 4 * times, 6 * times));
  }
  await x.zeroGrad();
  t.is(await x.grad(), null);
});

test.serial("backward takes the gradient of a vector", async (t) => {
  using x = await (await Tensor.from([1, 2])).requiresGrad();
  using y = await x.mul(3);
  using seed = await Tensor.from([1, 10]);
  await y.backward(seed);
  using gradient = await x.grad();
  t.deepEqual(await gradient?.data(), Float32Array.of(3, 30));
});

test.serial("detach cuts the graph", async (t) => {
  using x = await (await Tensor.from([2])).requiresGrad();
  using y = await x.mul(5);
  using cut = await y.detach();
  t.true(await y.isRequiringGrad());
  t.false(await cut.isRequiringGrad());
  await x.requiresGrad(false);
  using z = await x.mul(5);
  t.false(await z.isRequiringGrad());
});

test.serial("a small network's gradient is its slope", async (t) => {
  using input = await Tensor.randn([2, 4, 12], { seed: 1 });
  using weight = await Tensor.randn([6, 4, 3], { seed: 2 });
  const slopes = await measureSlopes(
    input,
    async (x) => {
      using hidden = await x.conv1d(weight, { padding: 1 });
      using normed = await hidden.groupNorm(2);
      using active = await normed.silu();
      using attended = await active.scaledDotProductAttention(active, active);
      using chances = await attended.logSoftmax(1);
      using squares = await chances.pow(2);
      return await squares.mean();
    },
    0.02,
  );
  const error = Math.abs(slopes.difference / slopes.backward - 1);
  t.log(error.toExponential(1));
  t.true(error < 1e-2, "a central difference in float32 has three digits at best");
});

test.serial("what cannot have a gradient is refused", async (t) => {
  using x = await Tensor.ones([2]);
  using scalar = await x.sum();
  await t.throwsAsync(scalar.backward(), { code: "E_ARGUMENT" });
  using integers = await x.to("int64");
  await t.throwsAsync(integers.requiresGrad(), { code: "E_DTYPE" });
  await x.requiresGrad();
  using y = await x.mul(2);
  await t.throwsAsync(y.requiresGrad(), { code: "E_ARGUMENT" });
  await t.throwsAsync(y.backward(), { code: "E_SHAPE" });
  using wrong = await Tensor.ones([3]);
  await t.throwsAsync(y.backward(wrong), { code: "E_SHAPE" });
});
