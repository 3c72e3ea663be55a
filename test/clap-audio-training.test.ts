import test from "ava";
import type { ExecutionContext } from "ava";
import { parseClapAudio } from "../lib/checkpoint/config/clap-audio.js";
import { parseClapText } from "../lib/checkpoint/config/clap-text.js";
import { audioPresetNames, audioPresets } from "../lib/clap/audio-presets.js";
import { AudioTower } from "../lib/clap/audio-tower.js";
import { clapDebug } from "../lib/clap/presets.js";
import { TextTower } from "../lib/clap/text-tower.js";
import type { Module } from "../lib/nn/module.js";
import { memory } from "../lib/runtime/native.js";
import { Tensor } from "../lib/tensor/tensor.js";
import { buildTower } from "./helpers/audio-towers.js";
import { assertClose, openGolden, relativeNorm } from "./helpers/golden.js";
import { release } from "./helpers/kernels.js";
import { seededCase } from "./helpers/seeded.js";

test.serial("leaves no handle behind", async (t) => {
  const { handles } = memory();
  {
    using golden = await openGolden("audio-gradients");
    using tower = await buildTower(golden);
    await tower.train();
    using item = await seededCase(golden, "all");
    using output = await tower.forward(item.features, item.isLonger);
    t.is(output.audioEmbeds.rank, 2);
  }
  t.is(memory().handles, handles);
});

test.serial("gradients and statistics of a training step are those of transformers", async (t) => {
  using golden = await openGolden("audio-gradients");
  using tower = await buildTower(golden);
  await tower.train();
  await tower.requiresGrad();
  using item = await seededCase(golden, "all");
  await item.features.requiresGrad();
  using output = await tower.forward(item.features, item.isLonger);
  await assertClose(t, [output.audioEmbeds, golden.get("output.audio_embeds.all")], 1e-5, "embeds");
  using weighted = await output.audioEmbeds.mul(golden.get("input.factors"));
  using loss = await weighted.sum();
  await loss.backward();
  const grads = { ...(await tower.grads()), features: (await item.features.grad())! };
  const state = await tower.state();
  const wanted = golden.under("grad.");
  t.deepEqual(Object.keys(grads).sort(), Object.keys(wanted).sort());
  for (const [name, grad] of Object.entries(grads)) {
    await assertGradient(t, [grad, wanted[name]!], name);
  }
  for (const [name, buffer] of Object.entries(golden.under("output.state."))) {
    await assertClose(t, [state[name]!, buffer], 1e-5, name);
  }
  release(grads, state);
});

/** What a norm of the batch takes away again, such as a bias before it, has a gradient of noise. */
async function assertGradient(
  t: ExecutionContext,
  [grad, wanted]: readonly [Tensor, Tensor],
  name: string,
): Promise<void> {
  const largest = Math.max(...(await wanted.floats()).map(Math.abs));
  if (largest > 1e-3) return assertClose(t, [grad, wanted], 1e-4, name);
  t.true(Math.max(...(await grad.floats()).map(Math.abs)) < 1e-3, name);
}

const noisy = {
  dropout: { hidden_dropout_prob: 0.2 },
  attention: { attention_probs_dropout_prob: 0.2 },
  depth: { drop_path_rate: 0.9 },
};

for (const [name, changes] of Object.entries(noisy)) {
  test.serial(`${name}: training varies, a seed repeats it, and eval ends it`, async (t) => {
    using golden = await openGolden("audio-fused");
    using tower = await buildTower(golden, changes);
    using item = await seededCase(golden, "short");
    const embed = async (): Promise<Tensor> => {
      using output = await tower.forward(item.features, item.isLonger);
      return await output.audioEmbeds.clone();
    };
    await tower.train();
    await tower.seed(5);
    using first = await embed();
    using second = await embed();
    await tower.seed(5);
    using again = await embed();
    t.is(await relativeNorm(again, first), 0);
    t.true((await relativeNorm(second, first)) > 1e-3);
    await tower.eval();
    using calm = await embed();
    using calmer = await embed();
    t.is(await relativeNorm(calm, calmer), 0);
  });
}

test.serial("training leaves the tensors that were loaded as they were", async (t) => {
  using golden = await openGolden("audio-plain");
  using tower = await buildTower(golden);
  using item = await seededCase(golden, "odd");
  const key = "audio_model.audio_encoder.batch_norm.running_mean";
  const before = await tower.state();
  const values = await before[key]!.floats();
  await tower.train();
  using output = await tower.forward(item.features);
  const after = await tower.state();
  t.deepEqual(await before[key]!.floats(), values);
  t.notDeepEqual(await after[key]!.floats(), values);
  t.is(output.audioEmbeds.rank, 2);
  release(before, after);
});

test.serial("a single long clip trains, as in laion_clap", async (t) => {
  using golden = await openGolden("audio-fused");
  using tower = await buildTower(golden);
  await tower.train();
  using features = await Tensor.randn([1, 4, 40, 64], { seed: 1 });
  using output = await tower.forward(features, [true]);
  t.true((await output.audioEmbeds.floats()).every(Number.isFinite));
  const state = await tower.state();
  for (const [name, tensor] of Object.entries(state)) {
    t.true((await tensor.floats()).every(Number.isFinite), name);
  }
  release(state);
});

async function countWeights(module: Module): Promise<number> {
  const state = await module.state();
  const sizes = Object.values(state).map(({ shape }) => shape.reduce((n, size) => n * size, 1));
  release(state);
  return sizes.reduce((total, size) => total + size, 0);
}

test.serial("the debug preset has less than a million weights", async (t) => {
  using audio = await AudioTower.create(parseClapAudio(audioPresets.debug, "debug").config);
  await audio.initialise(0);
  t.true((await countWeights(audio)) < 1e6);
});

test.serial("every preset pairs with RoBERTa, and both learn from one loss", async (t) => {
  const small = parseClapText({ ...clapDebug.text_config, projection_dim: 512 }, "debug").config;
  using text = await TextTower.create(small);
  await text.initialise(1);
  await text.requiresGrad();
  using ids = await Tensor.from(BigInt64Array.of(0n, 7n, 2n, 0n, 9n, 2n), [2, 3]);
  using features = await Tensor.randn([2, 1, 40, 64], { seed: 2 });
  // The large HTSAT differs from the base one in width alone.
  for (const name of audioPresetNames.filter((preset) => preset !== "htsat-large")) {
    using audio = await AudioTower.create(parseClapAudio(audioPresets[name], name).config);
    await audio.initialise(0);
    await audio.requiresGrad();
    using heard = await audio.forward(features);
    using read = await text.forward(ids);
    using product = await heard.audioEmbeds.mul(read.textEmbeds);
    using loss = await product.sum();
    await loss.backward();
    for (const module of [audio, text]) {
      const grads = await module.grads();
      const state = await module.state();
      const slots = Object.keys(state).filter((key) => !/running_|num_batches/.test(key));
      t.deepEqual(Object.keys(grads).sort(), slots.sort(), name);
      release(grads, state);
    }
  }
});

test.serial("names what does not fit", async (t) => {
  using golden = await openGolden("audio-plain");
  using tower = await buildTower(golden);
  await tower.train();
  using features = await Tensor.zeros([1, 4, 40, 64]);
  await t.throwsAsync(tower.forward(features), { code: "E_SHAPE" });
  tower.dispose();
  await t.throwsAsync(tower.train(), { code: "E_DISPOSED" });
});
