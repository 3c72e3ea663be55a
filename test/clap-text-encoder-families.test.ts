import test from "ava";
import { TextEncoder } from "../lib/clap/text-encoder.js";
import { TextTower } from "../lib/clap/text-tower.js";
import { TextTokenizer } from "../lib/clap/tokenizer.js";
import { parseClapText } from "../lib/checkpoint/config/clap-text.js";
import { memory } from "../lib/runtime/native.js";
import { Tensor } from "../lib/tensor/tensor.js";
import { assertClose } from "./helpers/golden.js";

const tiny = { hidden_size: 24, num_hidden_layers: 2, num_attention_heads: 3, projection_dim: 20 };

/** model_type → configuration and the folder of its tokenizer. */
const families = {
  clap_text_model: [{ ...tiny, intermediate_size: 40 }, "musicldm-tiny/tokenizer"],
  bert: [{ ...tiny, intermediate_size: 40, max_position_embeddings: 80 }, "tokenizer-bert"],
  bart: [
    { d_model: 24, encoder_layers: 2, encoder_attention_heads: 3, encoder_ffn_dim: 40 },
    "musicldm-tiny/tokenizer",
  ],
  clip_text_model: [{ width: 24, heads: 3, layers: 2, context_length: 77 }, "tokenizer-clip"],
} as const;
type Family = keyof typeof families;
const names = Object.keys(families) as Family[];

async function build(model_type: Family): Promise<TextEncoder> {
  const [settings, folder] = families[model_type];
  const { config } = parseClapText({ vocab_size: 800, ...settings, model_type }, "config.json");
  const tower = await TextTower.create(config);
  await tower.initialise(5);
  await tower.pack("fast");
  const path = `test/goldens/${folder}`;
  const tokenizer = await TextTokenizer.load(path, tower.maxTokens, model_type);
  return new TextEncoder(tower, tokenizer);
}

const texts = [
  "techno music",
  "a calm song",
  "Café del mar &amp; more",
  "techno",
  "techno music",
  "",
  "the drums ".repeat(300),
];

for (const name of names) {
  test.serial(`${name}: each text is embedded as it is alone, in order, at length 1`, async (t) => {
    using encoder = await build(name);
    using together = await encoder.encode(texts);
    t.deepEqual(together.cut, [6]);
    for (const [i, text] of texts.entries()) {
      using alone = await encoder.encode([text]);
      using row = await together.embeddings.slice(0, i, i + 1);
      await assertClose(t, [row, alone.embeddings], 1e-6, text.slice(0, 20));
      using norm = await row.norm();
      t.true(Math.abs((await norm.item()) - 1) < 1e-6);
    }
  });
}

test.serial("BART runs on texts padded to 77 under a mask", async (t) => {
  using encoder = await build("bart");
  const { ids } = encoder.tokenizer.encode("a calm song");
  const padding = (value: bigint): bigint[] => Array<bigint>(77 - ids.length).fill(value);
  using input = await Tensor.from(
    BigInt64Array.from([...ids.map(BigInt), ...padding(1n)]),
    [1, 77],
  );
  const seen = [...ids.map(() => 1n), ...padding(0n)];
  using mask = await Tensor.from(BigInt64Array.from(seen), [1, 77]);
  using output = await encoder.tower.forward(input, mask);
  using norm = await output.textEmbeds.norm();
  using wanted = await output.textEmbeds.div(norm);
  using encoding = await encoder.encode(["a calm song"]);
  await assertClose(t, [encoding.embeddings, wanted], 1e-6, "padded");
});

test.serial("refuses a tokenizer of another network, and leaves no handle behind", async (t) => {
  const { handles } = memory();
  {
    using encoder = await build("bart");
    const tokenizer = await TextTokenizer.load("test/goldens/tokenizer-bert", 77);
    t.throws(() => new TextEncoder(encoder.tower, tokenizer), {
      code: "E_ARGUMENT",
      message: /tokenizer for bart/,
    });
    using encoding = await encoder.encode(["a", "b"]);
    t.is(encoding.embeddings.shape[0], 2);
  }
  t.is(memory().handles, handles);
});
