import test from "ava";
import type { TextTower } from "../lib/clap/text-tower.js";
import { memory } from "../lib/runtime/native.js";
import type { Tensor } from "../lib/tensor/tensor.js";
import type { Golden } from "./helpers/golden.js";
import { openGolden, relativeNorm } from "./helpers/golden.js";
import { buildTextTower } from "./helpers/text-tower.js";

async function embed(tower: TextTower, golden: Golden): Promise<Tensor> {
  const mask = golden.get("input.mask.mixed");
  using output = await tower.forward(golden.get("input.ids.mixed"), mask);
  return await output.textEmbeds.clone();
}

const none = { hidden_dropout_prob: 0, attention_probs_dropout_prob: 0 };
const noneOfBart = { dropout: 0, attention_dropout: 0, activation_dropout: 0 };

/** Every place of dropout, alone. */
const places: Readonly<Record<string, readonly [string, object]>> = {
  "BERT hidden": ["clap-text-bert", { ...none, hidden_dropout_prob: 0.1 }],
  "BERT attention": ["clap-text-bert", { ...none, attention_probs_dropout_prob: 0.1 }],
  "BART hidden": ["clap-text-bart", { ...noneOfBart, dropout: 0.1 }],
  "BART attention": ["clap-text-bart", { ...noneOfBart, attention_dropout: 0.1 }],
  "BART activation": ["clap-text-bart", { ...noneOfBart, activation_dropout: 0.1 }],
};

for (const [place, [name, changes]] of Object.entries(places)) {
  test.serial(`${place}: training varies, a seed repeats it, and eval ends it`, async (t) => {
    using golden = await openGolden(name);
    using tower = await buildTextTower(golden, changes);
    using before = await embed(tower, golden);
    await tower.train();
    using first = await embed(tower, golden);
    using second = await embed(tower, golden);
    t.true((await relativeNorm(first, before)) > 1e-3);
    t.true((await relativeNorm(first, second)) > 1e-3);
    await tower.seed(7);
    using seeded = await embed(tower, golden);
    await tower.seed(7);
    using again = await embed(tower, golden);
    t.is(await relativeNorm(again, seeded), 0);
    await tower.eval();
    using after = await embed(tower, golden);
    t.is(await relativeNorm(after, before), 0);
  });
}

for (const name of ["clap-text-bert", "clap-text-bart", "clap-text-clip"]) {
  test.serial(`${name}: without dropout training is eval`, async (t) => {
    using golden = await openGolden(name);
    using tower = await buildTextTower(golden, { ...none, ...noneOfBart });
    using before = await embed(tower, golden);
    await tower.train();
    using during = await embed(tower, golden);
    t.is(await relativeNorm(during, before), 0);
  });
}

type Starts = Readonly<Record<string, number>>;
const half = 1 / Math.sqrt(24);

/** Standard deviations that the reference implementations start with. */
const starts: Readonly<Record<string, Starts>> = {
  "clap-text-bert": {
    "text_model.embeddings.word_embeddings.weight": 0.02,
    "text_model.encoder.layer.1.intermediate.dense.weight": 0.02,
    "text_projection.linear1.weight": half / Math.sqrt(3),
  },
  "clap-text-bart": {
    "text_model.shared.weight": 0.02,
    "text_model.encoder.embed_positions.weight": 0.02,
    "text_model.encoder.layers.0.fc1.weight": 0.02,
  },
  "clap-text-clip": {
    "text_model.token_embedding.weight": 0.02,
    "text_model.positional_embedding": 0.01,
    "text_model.resblocks.0.attn.in_proj_weight": half,
    "text_model.resblocks.0.attn.out_proj.weight": half / 2,
    "text_model.resblocks.1.mlp.c_fc.weight": half / Math.SQRT2,
    "text_model.resblocks.1.mlp.c_proj.weight": half / 2,
  },
};

for (const [name, deviations] of Object.entries(starts)) {
  test.serial(`${name} starts as its reference does`, async (t) => {
    using golden = await openGolden(name);
    using tower = await buildTextTower(golden);
    await tower.initialise(3);
    const state = await tower.state();
    for (const [key, wanted] of Object.entries(deviations)) {
      using result = await state[key]!.std();
      const value = await result.item();
      t.true(Math.abs(value / wanted - 1) < 0.1, `${key}: ${value} of ${wanted}`);
    }
    for (const tensor of Object.values(state)) tensor.dispose();
  });
}

test.serial("leaves no handle behind", async (t) => {
  const { handles } = memory();
  {
    using golden = await openGolden("clap-text-bart");
    using tower = await buildTextTower(golden);
    await tower.train();
    using output = await embed(tower, golden);
    t.is(output.rank, 2);
  }
  t.is(memory().handles, handles);
});
