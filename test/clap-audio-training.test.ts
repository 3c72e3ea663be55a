import test from "ava";
import type { ExecutionContext } from "ava";
import { parseClapAudio } from "../lib/checkpoint/config/clap-audio.js";
import { parseClapText } from "../lib/checkpoint/config/clap-text.js";
import { audioPresets } from "../lib/clap/audio-presets.js";
import type { AudioPresetName } from "../lib/clap/audio-presets.js";
import { AudioTower } from "../lib/clap/audio-tower.js";
import { TextTower } from "../lib/clap/text-tower.js";
import type { Module } from "../lib/nn/module.js";
import { call, memory } from "../lib/runtime/native.js";
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

/**
 * 1e-5, and 1e-4 in the fusion, whose norms may have only two values to take their moments from.
 * What a norm takes away again, such as a bias before it, has a gradient of noise.
 */
async function assertGradient(
  t: ExecutionContext,
  [grad, wanted]: readonly [Tensor, Tensor],
  name: string,
): Promise<void> {
  const largest = Math.max(...(await wanted.floats()).map(Math.abs));
  const limit = name.includes("fusion_model") ? 1e-4 : 1e-5;
  if (largest > 1e-3) return assertClose(t, [grad, wanted], limit, name);
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

type Shapes = Readonly<Record<string, { readonly shape: readonly number[] }>>;

/** Trainable numbers of a tower's encoder, which needs no values for that. */
async function countWeights(tower: AudioTower): Promise<number> {
  const shapes = await call<Shapes>("module.parameters", [tower]);
  const sizes = Object.entries(shapes)
    .filter(([key]) => key.startsWith("audio_model.") && !/running_|num_batches/.test(key))
    .map(([, { shape }]) => shape.reduce((product, size) => product * size, 1));
  return sizes.reduce((total, size) => total + size, 0);
}

/** Of laion_clap's encoders, which have heads for 527 classes as well. */
const published: Readonly<Partial<Record<AudioPresetName, number>>> = {
  "htsat-tiny": 30_241_687,
  "htsat-base": 71_341_079,
  "htsat-large": 277_606_551,
  "pann-14": 80_753_615,
  "pann-10": 20_435_919,
  "pann-6": 4_837_455,
};

test.serial("presets have as many weights as the originals", async (t) => {
  const classes = 527;
  for (const [name, total] of Object.entries(published)) {
    const { config } = parseClapAudio(audioPresets[name as AudioPresetName], name);
    using tower = await AudioTower.create(config);
    const head = (inputs: number): number => inputs * classes + classes;
    const heads = name.startsWith("htsat")
      ? head(6 * config.hidden_size) + head(classes)
      : head(config.hidden_size);
    t.is((await countWeights(tower)) + heads, total, name);
  }
  using debug = await AudioTower.create(parseClapAudio(audioPresets.debug, "debug").config);
  t.true((await countWeights(debug)) < 1e6);
});

const small = { vocab_size: 90, projection_dim: 512 };
const bert = { ...small, hidden_size: 24, num_hidden_layers: 1, num_attention_heads: 2 };
const texts = [
  { ...bert, model_type: "clap_text_model" },
  { ...bert, model_type: "bert" },
  { ...small, model_type: "clip_text_model", width: 24, heads: 2, layers: 1 },
  {
    ...small,
    model_type: "bart",
    d_model: 24,
    encoder_layers: 1,
    encoder_attention_heads: 2,
    encoder_ffn_dim: 32,
  },
];

async function trainable(module: Module, seed: number): Promise<void> {
  await module.initialise(seed);
  await module.requiresGrad();
}

test.serial("every pair of an audio and a text network learns from one loss", async (t) => {
  using ids = await Tensor.from(BigInt64Array.of(5n, 7n, 8n), [1, 3]);
  using features = await Tensor.randn([1, 1, 40, 64], { seed: 2 });
  for (const name of ["htsat-tiny", "pann-14"] as const) {
    using audio = await AudioTower.create(parseClapAudio(audioPresets[name], name).config);
    await trainable(audio, 0);
    for (const json of texts) {
      using text = await TextTower.create(parseClapText(json, "text").config);
      await trainable(text, 1);
      using heard = await audio.forward(features);
      using read = await text.forward(ids);
      using product = await heard.audioEmbeds.mul(read.textEmbeds);
      using loss = await product.sum();
      await loss.backward();
      const grads = { ...(await audio.grads()), ...(await text.grads()) };
      const shapes = {
        ...(await call<Shapes>("module.parameters", [audio])),
        ...(await call<Shapes>("module.parameters", [text])),
      };
      const slots = Object.keys(shapes).filter((key) => !/running_|num_batches/.test(key));
      t.deepEqual(Object.keys(grads).sort(), slots.sort(), `${name} and ${json.model_type}`);
      release(grads);
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
