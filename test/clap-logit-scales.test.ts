import test from "ava";
import { LogitScales } from "../lib/clap/logit-scales.js";
import { memory } from "../lib/runtime/native.js";
import { Tensor } from "../lib/tensor/tensor.js";

async function valuesOf(scales: LogitScales): Promise<readonly [number, number]> {
  using values = await scales.forward();
  return [await values.audio.item(), await values.text.item()];
}

test.serial("starts at 1 / 0.07, whose logarithm is stored", async (t) => {
  using scales = await LogitScales.create();
  await scales.initialise(0);
  const [audio, text] = await valuesOf(scales);
  t.true(Math.abs(audio - 1 / 0.07) < 1e-4);
  t.is(text, audio);
  const state = await scales.state();
  t.deepEqual(Object.keys(state).sort(), ["logit_scale_a", "logit_scale_t"]);
  for (const tensor of Object.values(state)) {
    t.deepEqual(tensor.shape, []);
    t.true(Math.abs((await tensor.item()) - 2.65926) < 1e-5);
    tensor.dispose();
  }
});

test.serial("loads from a whole model, and is kept in 1..100", async (t) => {
  using scales = await LogitScales.create();
  using high = await Tensor.full([], 6);
  using low = await Tensor.full([], -1);
  using other = await Tensor.zeros([3]);
  const tensors = { logit_scale_a: high, logit_scale_t: low, "text_model.x": other };
  await scales.load(tensors);
  const [audio, text] = await valuesOf(scales);
  t.true(Math.abs(audio / Math.exp(6) - 1) < 1e-6);
  t.true(Math.abs(text - Math.exp(-1)) < 1e-6);
  await scales.clamp();
  const [largest, smallest] = await valuesOf(scales);
  t.true(Math.abs(largest - 100) < 1e-3);
  t.is(smallest, 1);
});

test.serial("gradients are those of the exponential", async (t) => {
  using scales = await LogitScales.create(10);
  await scales.initialise(0);
  await scales.requiresGrad();
  using values = await scales.forward();
  using twice = await values.text.mul(2);
  using loss = await values.audio.add(twice);
  await loss.backward();
  const grads = await scales.grads();
  t.true(Math.abs((await grads["logit_scale_a"]!.item()) - 10) < 1e-4);
  t.true(Math.abs((await grads["logit_scale_t"]!.item()) - 20) < 1e-4);
  for (const tensor of Object.values(grads)) tensor.dispose();
});

test.serial("names what does not fit, and leaves no handle behind", async (t) => {
  const { handles } = memory();
  for (const initial of [0, -1, NaN, Infinity]) {
    await t.throwsAsync(LogitScales.create(initial), { code: "E_ARGUMENT" });
  }
  {
    using scales = await LogitScales.create();
    await t.throwsAsync(scales.forward(), { code: "E_ARGUMENT" });
    using one = await Tensor.full([], 1);
    await t.throwsAsync(scales.load({ logit_scale_a: one }), {
      code: "E_CHECKPOINT",
      message: /logit_scale_t/,
    });
  }
  t.is(memory().handles, handles);
});
