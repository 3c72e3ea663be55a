import test from "ava";
import { parseClapConfig } from "../lib/checkpoint/config/clap.js";
import type { RobertaTextConfig } from "../lib/checkpoint/config/clap-text.js";
import { TextTower } from "../lib/clap/text-tower.js";
import { memory } from "../lib/runtime/native.js";
import type { Tensor } from "../lib/tensor/tensor.js";
import type { Golden } from "./helpers/golden.js";
import { assertClose, openGolden, relativeNorm } from "./helpers/golden.js";
import { asRoberta } from "./helpers/text-tower.js";

async function build(golden: Golden, changes: Partial<RobertaTextConfig>): Promise<TextTower> {
  const { config } = parseClapConfig(golden.config, "golden", "ClapTextModelWithProjection");
  const tower = await TextTower.create({ ...asRoberta(config.text), ...changes });
  await tower.load(golden.under("weight."), { allowedExtra: ["text_model.encoder."] });
  return tower;
}

/** Without layers, so that dropout is the last to touch the hidden state. */
async function buildEmbeddings(golden: Golden, probability: number): Promise<TextTower> {
  return build(golden, { num_hidden_layers: 0, hidden_dropout_prob: probability });
}

async function hidden(tower: TextTower, golden: Golden, key = "mixed"): Promise<Tensor> {
  using output = await tower.forward(
    golden.get(`input.ids.${key}`),
    golden.get(`input.mask.${key}`),
  );
  return await output.lastHiddenState.clone();
}

test.serial("leaves no handle behind", async (t) => {
  const { handles } = memory();
  {
    using golden = await openGolden("clap-text-raw");
    using tower = await build(golden, { hidden_dropout_prob: 0.1 });
    await tower.train();
    using output = await hidden(tower, golden);
    t.is(output.rank, 3);
  }
  t.is(memory().handles, handles);
});

const places: Readonly<Record<string, Partial<RobertaTextConfig>>> = {
  hidden: { hidden_dropout_prob: 0.1, attention_probs_dropout_prob: 0 },
  attention: { hidden_dropout_prob: 0, attention_probs_dropout_prob: 0.1 },
};

for (const [name, probabilities] of Object.entries(places)) {
  test.serial(`${name}: training varies, a seed repeats it, and eval ends it`, async (t) => {
    using golden = await openGolden("clap-text-raw");
    using tower = await build(golden, probabilities);
    using before = await hidden(tower, golden);
    await tower.train();
    using first = await hidden(tower, golden);
    using second = await hidden(tower, golden);
    t.true((await relativeNorm(first, before)) > 1e-3);
    t.true((await relativeNorm(first, second)) > 1e-3);
    await tower.seed(7);
    using seeded = await hidden(tower, golden);
    using next = await hidden(tower, golden);
    await tower.seed(7);
    using again = await hidden(tower, golden);
    t.is(await relativeNorm(again, seeded), 0);
    t.true((await relativeNorm(next, seeded)) > 1e-3);
    await tower.eval();
    using after = await hidden(tower, golden);
    t.is(await relativeNorm(after, before), 0);
  });
}

test.serial("modules without a seed differ", async (t) => {
  using golden = await openGolden("clap-text-raw");
  using one = await buildEmbeddings(golden, 0.5);
  using other = await buildEmbeddings(golden, 0.5);
  await Promise.all([one.train(), other.train()]);
  using left = await hidden(one, golden);
  using right = await hidden(other, golden);
  t.true((await relativeNorm(left, right)) > 0.1);
});

test.serial("probability 0 changes nothing", async (t) => {
  using golden = await openGolden("clap-text-raw");
  using tower = await build(golden, { hidden_dropout_prob: 0, attention_probs_dropout_prob: 0 });
  using before = await hidden(tower, golden);
  await tower.train();
  using during = await hidden(tower, golden);
  t.is(await relativeNorm(during, before), 0);
});

test.serial("probability 1 leaves zeros", async (t) => {
  using golden = await openGolden("clap-text-raw");
  using tower = await buildEmbeddings(golden, 1);
  await tower.train();
  using output = await hidden(tower, golden);
  t.true((await output.floats()).every((value) => value === 0));
});

test.serial("each element is dropped or scaled up, and the mean stays", async (t) => {
  using golden = await openGolden("clap-text-raw");
  using tower = await buildEmbeddings(golden, 0.25);
  using ids = await golden.get("input.ids.unpadded").expand([2000, -1]);
  using before = await tower.forward(ids);
  await tower.train();
  await tower.seed(1);
  using during = await tower.forward(ids);
  const [full, kept] = [
    await before.lastHiddenState.floats(),
    await during.lastHiddenState.floats(),
  ];
  const isScaled = (value: number, i: number): boolean =>
    value === 0 || Math.abs(value * 0.75 - full[i]!) <= 1e-6 * Math.abs(full[i]!);
  t.true(kept.every(isScaled));
  const dropped = kept.filter((value) => value === 0).length / kept.length;
  t.true(Math.abs(dropped - 0.25) < 0.005, `${dropped} dropped`);
  using mean = await during.lastHiddenState.mean(0);
  using wanted = await before.lastHiddenState.mean(0);
  await assertClose(t, [mean, wanted], 0.03, "mean");
});

test.serial("attention in training is that of eval where nothing is dropped", async (t) => {
  using golden = await openGolden("clap-text-raw");
  using tower = await build(golden, {
    hidden_dropout_prob: 0,
    attention_probs_dropout_prob: 1e-12,
  });
  using before = await hidden(tower, golden);
  await tower.train();
  await tower.seed(1);
  using during = await hidden(tower, golden);
  await assertClose(t, [during, before], 1e-6, "explicit attention");
});

test.serial("gradients reach every parameter", async (t) => {
  using golden = await openGolden("clap-text-raw");
  using tower = await build(golden, { hidden_dropout_prob: 0.5 });
  await tower.requiresGrad();
  await tower.train();
  using output = await tower.forward(golden.get("input.ids.mixed"), golden.get("input.mask.mixed"));
  using loss = await output.textEmbeds.mean();
  await loss.backward();
  const grads = await tower.grads();
  for (const [name, grad] of Object.entries(grads)) {
    const largest = Math.max(...(await grad.floats()).map(Math.abs));
    t.true(Number.isFinite(largest) && largest > 0, name);
    grad.dispose();
  }
  t.true(Object.keys(grads).length > 20);
});

test.serial("gradients pass where elements were kept, scaled up", async (t) => {
  using golden = await openGolden("clap-text-raw");
  using tower = await buildEmbeddings(golden, 0.5);
  await tower.requiresGrad();
  await tower.train();
  using output = await tower.forward(golden.get("input.ids.mixed"));
  using loss = await output.lastHiddenState.sum();
  await loss.backward();
  const kept = new Float32Array(asRoberta(tower.config).hidden_size);
  for (const [i, value] of (await output.lastHiddenState.floats()).entries()) {
    if (value !== 0) kept[i % kept.length]! += 2;
  }
  const grads = await tower.grads();
  t.deepEqual(await grads["text_model.embeddings.LayerNorm.bias"]!.floats(), kept);
  for (const grad of Object.values(grads)) grad.dispose();
});

test.serial("trains in bfloat16", async (t) => {
  using golden = await openGolden("clap-text-raw");
  using tower = await build(golden, {
    hidden_dropout_prob: 0.1,
    attention_probs_dropout_prob: 0.1,
  });
  await tower.to({ dtype: "bfloat16" });
  await tower.train();
  using output = await hidden(tower, golden);
  t.is(output.dtype, "bfloat16");
  t.true((await output.floats()).every(Number.isFinite));
});

test.serial("a seed is a whole number", async (t) => {
  using golden = await openGolden("clap-text-raw");
  using tower = await build(golden, {});
  for (const seed of [-1, 0.5, NaN, 2 ** 53, "1" as unknown as number]) {
    await t.throwsAsync(tower.seed(seed), { code: "E_ARGUMENT", message: /for seed/ });
  }
  t.is(await tower.seed(0), tower);
});
