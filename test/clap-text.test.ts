import test from "ava";
import { parseClapConfig } from "../lib/checkpoint/config/clap.js";
import type { ClapClass } from "../lib/checkpoint/config/clap.js";
import { TextTower } from "../lib/clap/text-tower.js";
import { memory } from "../lib/runtime/native.js";
import { Tensor } from "../lib/tensor/tensor.js";
import type { Golden } from "./helpers/golden.js";
import { assertClose, openGolden, relativeNorm } from "./helpers/golden.js";
import { asRoberta } from "./helpers/text-tower.js";

const classes: Readonly<Record<string, ClapClass>> = {
  "clap-text-raw": "ClapTextModelWithProjection",
  "clap-text-unit": "ClapModel",
};
const cases = ["unpadded", "padded", "mixed", "longest"] as const;

async function build(golden: Golden, name: string): Promise<TextTower> {
  const { config } = parseClapConfig(golden.config, name, classes[name]!);
  const tower = await TextTower.create(config.text);
  await tower.load(golden.under("weight."));
  return tower;
}

/** What `ClapModel` answers: rows of length 1. */
async function normalise(embeds: Tensor): Promise<Tensor> {
  using norm = await embeds.norm([1], { keepDim: true });
  return await embeds.div(norm);
}

test.serial("leaves no handle behind", async (t) => {
  const { handles } = memory();
  {
    using golden = await openGolden("clap-text-raw");
    using tower = await build(golden, "clap-text-raw");
    using output = await tower.forward(golden.get("input.ids.unpadded"));
    t.deepEqual(output.textEmbeds.shape, [1, 20]);
  }
  t.is(memory().handles, handles);
});

for (const name of Object.keys(classes)) {
  test.serial(`${name} answers as transformers`, async (t) => {
    using golden = await openGolden(name);
    using tower = await build(golden, name);
    for (const key of cases) {
      const [ids, mask] = [golden.get(`input.ids.${key}`), golden.get(`input.mask.${key}`)];
      using output = await tower.forward(ids, mask);
      const want = (part: string): Tensor => golden.get(`output.${part}.${key}`);
      using unit = await normalise(output.textEmbeds);
      const embeds = name === "clap-text-unit" ? unit : output.textEmbeds;
      await assertClose(t, [output.lastHiddenState, want("last_hidden_state")], 1e-5, key);
      await assertClose(t, [output.poolerOutput, want("pooler_output")], 1e-5, `${key} pooled`);
      await assertClose(t, [embeds, want("text_embeds")], 1e-5, `${key} embeds`);
    }
  });
}

test.serial("padding changes nothing, and its absence needs no mask", async (t) => {
  using golden = await openGolden("clap-text-raw");
  using tower = await build(golden, "clap-text-raw");
  using padded = await tower.forward(
    golden.get("input.ids.padded"),
    golden.get("input.mask.padded"),
  );
  using ids = await golden.get("input.ids.padded").slice(1, 0, 5);
  using bare = await tower.forward(ids);
  await assertClose(t, [bare.textEmbeds, padded.textEmbeds], 1e-5, "unpadded");
});

test.serial("gradients reach every parameter that the ids use", async (t) => {
  using golden = await openGolden("clap-text-raw");
  using tower = await build(golden, "clap-text-raw");
  await tower.requiresGrad();
  using output = await tower.forward(golden.get("input.ids.mixed"), golden.get("input.mask.mixed"));
  using loss = await output.textEmbeds.mean();
  await loss.backward();
  const grads = await tower.grads();
  const state = await tower.state();
  t.deepEqual(Object.keys(grads), Object.keys(state));
  for (const [name, grad] of Object.entries(grads)) {
    const largest = Math.max(...(await grad.floats()).map(Math.abs));
    t.true(Number.isFinite(largest) && largest > 0, name);
  }
  for (const tensor of [...Object.values(grads), ...Object.values(state)]) tensor.dispose();
});

test.serial("starts as transformers does", async (t) => {
  using golden = await openGolden("clap-text-raw");
  const { config } = parseClapConfig(golden.config, "golden", "ClapTextModelWithProjection");
  using tower = await TextTower.create(config.text);
  await tower.initialise(3);
  const state = await tower.state();
  const deviation = async (name: string): Promise<number> => {
    using result = await state[name]!.std();
    return await result.item();
  };
  const { hidden_size: width, num_hidden_layers: layers } = asRoberta(config.text);
  const linear = 1 / Math.sqrt(2 * width * layers);
  const dense = await deviation("text_model.encoder.layer.0.intermediate.dense.weight");
  t.true(Math.abs(dense / linear - 1) < 0.1, `${dense} of ${linear}`);
  const words = await deviation("text_model.embeddings.word_embeddings.weight");
  t.true(Math.abs(words / 0.02 - 1) < 0.1, `${words} of 0.02`);
  t.is(await deviation("text_projection.linear1.bias"), 0);
  for (const tensor of Object.values(state)) tensor.dispose();
});

test.serial("gelu in the projection is another function", async (t) => {
  using golden = await openGolden("clap-text-raw");
  using relu = await build(golden, "clap-text-raw");
  const json = { ...(golden.config as object), projection_hidden_act: "gelu" };
  const { config } = parseClapConfig(json, "golden", "ClapTextModelWithProjection");
  using gelu = await TextTower.create(config.text);
  await gelu.load(golden.under("weight."));
  const ids = golden.get("input.ids.unpadded");
  using one = await relu.forward(ids);
  using other = await gelu.forward(ids);
  t.is(await relativeNorm(one.poolerOutput, other.poolerOutput), 0);
  t.true((await relativeNorm(one.textEmbeds, other.textEmbeds)) > 1e-3);
});

test.serial("names what does not fit", async (t) => {
  using golden = await openGolden("clap-text-raw");
  using tower = await build(golden, "clap-text-raw");
  const ids = golden.get("input.ids.unpadded");
  using mask = await Tensor.ones([1, 3], { dtype: "int64" });
  using outside = await Tensor.from(BigInt64Array.of(0n, 90n), [1, 2]);
  using long = await Tensor.zeros([1, 39], { dtype: "int64" });
  using floats = await Tensor.zeros([1, 2]);
  using flat = await Tensor.zeros([2], { dtype: "int64" });
  t.is(tower.maxTokens, 38);
  await t.throwsAsync(tower.forward(ids, mask), { code: "E_SHAPE", message: /for mask/ });
  await t.throwsAsync(tower.forward(flat), { code: "E_SHAPE", message: /for ids/ });
  await t.throwsAsync(tower.forward(outside), { code: "E_ARGUMENT", message: /received 90/ });
  await t.throwsAsync(tower.forward(long), { code: "E_ARGUMENT", message: /38 tokens/ });
  await t.throwsAsync(tower.forward(floats), { code: "E_DTYPE" });
  tower.dispose();
  await t.throwsAsync(tower.forward(ids), { code: "E_DISPOSED" });
});
