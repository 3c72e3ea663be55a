import test from "ava";
import { parseUNetConfig } from "../lib/checkpoint/config/unet.js";
import { DeepFeature, UNet } from "../lib/diffusion/unet.js";
import { memory } from "../lib/runtime/native.js";
import { Tensor } from "../lib/tensor/tensor.js";
import type { Golden } from "./helpers/golden.js";
import { assertClose, openGolden, relativeNorm } from "./helpers/golden.js";

async function build(): Promise<UNet> {
  using golden = await openGolden("unet-musicldm");
  const unet = await UNet.create(parseUNetConfig(golden.config, "golden").config);
  await unet.load(golden.under("weight."));
  return unet;
}

/** Latents and conditioning `[B, E]` of the first or the second pass. */
async function pass(golden: Golden, unet: UNet, index: 0 | 1) {
  const timestep = await golden.get(`input.timestep.${index}`).item();
  using rows = await unet.condition([timestep], golden.get("input.class_labels"));
  return { latents: golden.get(`input.sample.${index}`), row: await rows.select(0, 0) };
}

test.serial("leaves no handle behind", async (t) => {
  const { handles } = memory();
  {
    using golden = await openGolden("unet-deepcache");
    using unet = await build();
    const { latents, row } = await pass(golden, unet, 0);
    using conditioning = row;
    const { prediction, feature } = await unet.predictKeeping(latents, conditioning, 1);
    t.false(feature.tensor.isDisposed);
    prediction.dispose();
    feature.dispose();
  }
  t.is(memory().handles, handles);
});

test.serial("conditioning of all timesteps equals that of each", async (t) => {
  using golden = await openGolden("unet-deepcache");
  using unet = await build();
  const labels = golden.get("input.class_labels");
  const latents = golden.get("input.sample.0");
  const timesteps = [501, 451.25, 0];
  using rows = await unet.condition(timesteps, labels);
  t.deepEqual(rows.shape, [3, 2, 64]);
  for (const [i, timestep] of timesteps.entries()) {
    using row = await rows.select(0, i);
    using ahead = await unet.predict(latents, row);
    using direct = await unet.forward(latents, timestep, labels);
    await assertClose(t, [ahead, direct], 1e-5, `timestep ${timestep}`);
  }
});

test.serial("a shallow pass answers as diffusers with the feature put in", async (t) => {
  using golden = await openGolden("unet-deepcache");
  using unet = await build();
  t.is(unet.skips, 9);
  const [first, second] = [await pass(golden, unet, 0), await pass(golden, unet, 1)];
  using before = first.row;
  using after = second.row;
  using whole = await unet.predict(first.latents, before);
  for (let branch = 0; branch < unet.skips; branch += 1) {
    const kept = await unet.predictKeeping(first.latents, before, branch);
    using feature = kept.feature;
    using prediction = kept.prediction;
    t.deepEqual(await prediction.floats(), await whole.floats(), "keeping changes nothing");
    await assertClose(
      t,
      [feature.tensor, golden.get(`output.feature.${branch}`)],
      1e-5,
      `feature ${branch}`,
    );
    using again = await unet.predictShallow(first.latents, before, feature);
    t.deepEqual(await again.floats(), await whole.floats(), "its own feature changes nothing");
    using shallow = await unet.predictShallow(second.latents, after, feature);
    await assertClose(t, [shallow, golden.get(`output.sample.${branch}`)], 1e-5, `${branch}`);
  }
});

/** A shallow pass whose feature comes from the same latents, turned by 4 frames or not. */
async function circularPass(unet: UNet, latents: Tensor, conditioning: Tensor, circular = true) {
  const kept = await unet.predictKeeping(latents, conditioning, 1, { circular });
  using feature = kept.feature;
  kept.prediction.dispose();
  using other = await latents.mul(0.9);
  return await unet.predictShallow(other, conditioning, feature, { circular });
}

test.serial("a shallow pass turns with its input in circular time", async (t) => {
  using golden = await openGolden("unet-deepcache");
  using unet = await build();
  using conditioning = (await pass(golden, unet, 0)).row;
  using latents = await Tensor.randn([2, 8, 8, 16], { seed: 1 });
  using turned = await latents.roll(4, 2);
  using output = await circularPass(unet, latents, conditioning);
  using outputOfTurned = await circularPass(unet, turned, conditioning);
  using turnedOutput = await output.roll(4, 2);
  await assertClose(t, [outputOfTurned, turnedOutput], 1e-5, "turned");
  using straight = await circularPass(unet, latents, conditioning, false);
  t.true((await relativeNorm(straight, output)) > 1e-3, "circular time changes the borders");
});

test.serial("names what does not fit", async (t) => {
  using golden = await openGolden("unet-deepcache");
  using unet = await build();
  const { latents, row } = await pass(golden, unet, 0);
  using conditioning = row;
  const labels = golden.get("input.class_labels");
  const kept = await unet.predictKeeping(latents, conditioning, 3);
  kept.prediction.dispose();
  using feature = kept.feature;
  using fewer = await latents.slice(0, 0, 1);
  using oneRow = await conditioning.slice(0, 0, 1);
  using shorter = await latents.slice(2, 0, 2);
  using half = await conditioning.to("bfloat16");
  const shallow = (branch: number, x: Tensor = latents, c: Tensor = conditioning) =>
    unet.predictShallow(x, c, new DeepFeature(branch, feature.tensor));
  const shape = { code: "E_SHAPE" };
  await t.throwsAsync(unet.condition([], labels), { ...shape, message: /for timesteps/ });
  await t.throwsAsync(unet.condition(["1"] as never, labels), { code: "E_ARGUMENT" });
  await t.throwsAsync(unet.condition([1], latents), { ...shape, message: /for classLabels/ });
  await t.throwsAsync(unet.predict(latents, labels), { ...shape, message: /for conditioning/ });
  await t.throwsAsync(unet.predict(fewer, conditioning), { ...shape, message: /conditioning/ });
  await t.throwsAsync(unet.predict(latents, half), { code: "E_DTYPE", message: /conditioning/ });
  for (const branch of [-1, 9, 0.5]) {
    const call = unet.predictKeeping(latents, conditioning, branch);
    await t.throwsAsync(call, { code: "E_ARGUMENT", message: /branch/ });
  }
  await t.throwsAsync(shallow(9), { code: "E_ARGUMENT", message: /0\.\.8 for branch/ });
  await t.throwsAsync(shallow(0), { ...shape, message: /for feature/ });
  await t.throwsAsync(shallow(3, fewer, oneRow), { ...shape, message: /for feature/ });
  await t.throwsAsync(shallow(3, shorter), { ...shape, message: /for feature/ });
  const signal = AbortSignal.abort();
  const aborted = unet.predictShallow(latents, conditioning, feature, { signal });
  await t.throwsAsync(aborted, { code: "E_ABORTED" });
  unet.dispose();
  await t.throwsAsync(shallow(3), { code: "E_DISPOSED" });
});
