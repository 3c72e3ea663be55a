import test from "ava";
import { parseClapText } from "../lib/checkpoint/config/clap-text.js";
import { TextTower } from "../lib/clap/text-tower.js";
import { memory } from "../lib/runtime/native.js";
import { Tensor } from "../lib/tensor/tensor.js";
import type { Golden } from "./helpers/golden.js";
import { assertClose, openGolden, relativeNorm } from "./helpers/golden.js";
import { buildTextTower, textGoldens } from "./helpers/text-tower.js";

function casesOf(golden: Golden): readonly string[] {
  return Object.keys(golden.under("input.ids."));
}

for (const name of textGoldens) {
  for (const packing of ["none", "fast"] as const) {
    test.serial(`${name} answers as laion_clap, packing ${packing}`, async (t) => {
      using golden = await openGolden(name);
      using tower = await buildTextTower(golden);
      await tower.pack(packing);
      t.true(casesOf(golden).length >= 3);
      for (const key of casesOf(golden)) {
        const [ids, mask] = [golden.get(`input.ids.${key}`), golden.get(`input.mask.${key}`)];
        using output = await tower.forward(ids, mask);
        const want = (part: string): Tensor => golden.get(`output.${part}.${key}`);
        await assertClose(t, [output.lastHiddenState, want("last_hidden_state")], 1e-5, key);
        await assertClose(t, [output.poolerOutput, want("pooler_output")], 1e-5, `${key} pooled`);
        await assertClose(t, [output.textEmbeds, want("text_embeds")], 1e-5, `${key} embeds`);
      }
    });
  }

  test.serial(`${name}: each row of a batch is what it is alone`, async (t) => {
    using golden = await openGolden(name);
    using tower = await buildTextTower(golden);
    const [ids, mask] = [golden.get("input.ids.mixed"), golden.get("input.mask.mixed")];
    using together = await tower.forward(ids, mask);
    for (let i = 0; i < 3; i += 1) {
      using row = await ids.slice(0, i, i + 1);
      using rowMask = await mask.slice(0, i, i + 1);
      using alone = await tower.forward(row, rowMask);
      using embeds = await together.textEmbeds.slice(0, i, i + 1);
      await assertClose(t, [embeds, alone.textEmbeds], 1e-6, `row ${i}`);
    }
  });

  test.serial(`${name}: gradients equal those of PyTorch`, async (t) => {
    using golden = await openGolden(name);
    using tower = await buildTextTower(golden);
    await tower.requiresGrad();
    using output = await tower.forward(
      golden.get("input.ids.mixed"),
      golden.get("input.mask.mixed"),
    );
    using squares = await output.textEmbeds.mul(output.textEmbeds);
    using loss = await squares.mean();
    await loss.backward();
    const grads = await tower.grads();
    t.deepEqual(Object.keys(grads).sort(), Object.keys(golden.under("grad.")).sort());
    for (const [key, grad] of Object.entries(grads)) {
      using wanted = await golden.get(`grad.${key}`).clone();
      const size = Math.hypot(...(await wanted.floats()));
      const distance = await distanceOf(grad, wanted);
      // Gradients of key biases are 0 but for rounding.
      t.true(distance <= 1e-5 * size + 1e-8, `${key}: ${distance} of ${size}`);
      grad.dispose();
    }
  });
}

async function distanceOf(one: Tensor, other: Tensor): Promise<number> {
  using difference = await one.sub(other);
  return Math.hypot(...(await difference.floats()));
}

for (const name of ["clap-text-bert", "clap-text-clip"]) {
  test.serial(`${name}: padding changes nothing, and its absence needs no mask`, async (t) => {
    using golden = await openGolden(name);
    using tower = await buildTextTower(golden);
    using row = await golden.get("input.ids.mixed").slice(0, 1, 2);
    using bare = await row.slice(1, 0, 17);
    using mask = await golden.get("input.mask.mixed").slice(0, 1, 2);
    using padded = await tower.forward(row, mask);
    using alone = await tower.forward(bare);
    await assertClose(t, [alone.textEmbeds, padded.textEmbeds], 1e-5, "without padding");
  });
}

test.serial("BART's embedding depends on its padding", async (t) => {
  using golden = await openGolden("clap-text-bart");
  using tower = await buildTextTower(golden);
  const ids = golden.get("input.ids.padded");
  using bare = await ids.slice(1, 0, 5);
  using padded = await tower.forward(ids, golden.get("input.mask.padded"));
  using alone = await tower.forward(bare);
  t.true((await relativeNorm(alone.textEmbeds, padded.textEmbeds)) > 1e-2);
});

test.serial("CLIP's token sees nothing behind it", async (t) => {
  using golden = await openGolden("clap-text-clip");
  using tower = await buildTextTower(golden);
  const ids = golden.get("input.ids.single");
  using start = await ids.slice(1, 0, 4);
  using whole = await tower.forward(ids);
  using part = await tower.forward(start);
  using seen = await whole.lastHiddenState.slice(1, 0, 4);
  await assertClose(t, [part.lastHiddenState, seen], 1e-6, "first tokens");
});

const limits = { "clap-text-bert": 33, "clap-text-bart": 80, "clap-text-clip": 30 };

for (const [name, most] of Object.entries(limits)) {
  test.serial(`${name}: names what does not fit`, async (t) => {
    using golden = await openGolden(name);
    using tower = await buildTextTower(golden);
    t.is(tower.maxTokens, most);
    using ids = await Tensor.from(BigInt64Array.of(0n, 3n), [1, 2]);
    using outside = await Tensor.from(BigInt64Array.of(0n, 90n), [1, 2]);
    using below = await Tensor.from(BigInt64Array.of(-1n, 4n), [1, 2]);
    using long = await Tensor.zeros([1, most + 1], { dtype: "int64" });
    using mask = await Tensor.ones([1, 3], { dtype: "int64" });
    await t.throwsAsync(tower.forward(outside), { code: "E_ARGUMENT", message: /received 90/ });
    await t.throwsAsync(tower.forward(below), { code: "E_ARGUMENT", message: /received -1/ });
    await t.throwsAsync(tower.forward(long), { code: "E_ARGUMENT", message: /at most/ });
    await t.throwsAsync(tower.forward(ids, mask), { code: "E_SHAPE", message: /for mask/ });
    const weights = golden.under("weight.");
    const { "text_projection.linear1.bias": _, ...missing } = weights;
    const other = await TextTower.create(tower.config);
    await t.throwsAsync(other.load(missing), { code: "E_CHECKPOINT", message: /linear1\.bias/ });
    other.dispose();
    tower.dispose();
    await t.throwsAsync(tower.forward(ids), { code: "E_DISPOSED" });
  });
}

test.serial("leaves no handle behind", async (t) => {
  const { handles } = memory();
  for (const name of textGoldens) {
    using golden = await openGolden(name);
    using tower = await buildTextTower(golden);
    using output = await tower.forward(golden.get("input.ids.single"));
    t.deepEqual(output.textEmbeds.shape, [1, 20]);
  }
  t.is(memory().handles, handles);
});

test("configurations have the defaults of their classes", (t) => {
  const parse = (json: object) => parseClapText(json, "config.json").config;
  t.like(parse({}), { model_type: "clap_text_model", layer_norm_eps: 1e-12, vocab_size: 50265 });
  t.deepEqual(parse({ model_type: "roberta" }), parse({}));
  t.like(parse({ model_type: "bert" }), { vocab_size: 30522, type_vocab_size: 2, pad_token_id: 0 });
  t.like(parse({ model_type: "bart" }), { encoder_layers: 12, d_model: 1024, init_std: 0.02 });
  t.like(parse({ model_type: "clip_text_model" }), { context_length: 77, width: 512, heads: 8 });
  t.deepEqual(parseClapText({ model_type: "bart", novelty: 1 }, "x").unknownKeys, ["novelty"]);
});

const wrong = [
  [{ model_type: "t5" }, /model_type/],
  [{ model_type: 3 }, /model_type/],
  [{ model_type: "bert", hidden_size: 10, num_attention_heads: 3 }, /num_attention_heads/],
  [{ model_type: "bert", vocab_size: 9, pad_token_id: 9 }, /pad_token_id/],
  [{ model_type: "bart", d_model: 10, encoder_attention_heads: 3 }, /encoder_attention_heads/],
  [{ model_type: "bart", activation_function: "relu" }, /activation_function/],
  [{ model_type: "clip_text_model", width: 10, heads: 3 }, /heads/],
  [{ model_type: "clip_text_model", quick_gelu: 1 }, /quick_gelu/],
  [3, /an object/],
  [null, /an object/],
] as const;

for (const [json, message] of wrong) {
  test(`names what is wrong in ${JSON.stringify(json)}`, (t) => {
    t.throws(() => parseClapText(json, "config.json"), { code: "E_CONFIG", message });
  });
}
