import test from "ava";
import { openFolder } from "../lib/checkpoint/folder.js";
import { openWeights } from "../lib/checkpoint/files.js";
import { TextEncoder } from "../lib/clap/text-encoder.js";
import { TextTower } from "../lib/clap/text-tower.js";
import { TextTokenizer } from "../lib/clap/tokenizer.js";
import { memory } from "../lib/runtime/native.js";
import { assertClose, openGolden } from "./helpers/golden.js";

async function build(name: string): Promise<TextEncoder> {
  const folder = await openFolder(`test/goldens/${name}`);
  const tower = await TextTower.create(folder.textEncoder.config.text);
  using checkpoint = await openWeights(folder.textEncoder.weights);
  await tower.load(checkpoint);
  const tokenizer = await TextTokenizer.load(folder.tokenizer, tower.maxTokens);
  return new TextEncoder(tower, tokenizer);
}

async function promptTexts(name: string): Promise<readonly string[]> {
  using golden = await openGolden(name);
  const prompts = JSON.parse(golden.metadata["prompts"]!) as { readonly text: string }[];
  return prompts.map(({ text }) => text);
}

for (const model of ["musicldm", "audioldm"]) {
  test.serial(`embeds as the ${model} pipeline`, async (t) => {
    using golden = await openGolden(`pipeline-${model}`);
    using encoder = await build(`${model}-tiny`);
    const texts = await promptTexts(`pipeline-${model}`);
    using encoding = await encoder.encode(texts);
    await assertClose(t, [encoding.embeddings, golden.get("output.embeddings")], 1e-5, "all");
    t.true(encoding.cut.length > 0);
    for (const index of encoding.cut) t.true(texts[index]!.length > 300);
  });
}

test.serial("each text is embedded as it is alone, in order, at length 1", async (t) => {
  using encoder = await build("musicldm-tiny");
  const texts = ["techno music", "a calm song", "techno", "techno music", ""];
  using together = await encoder.encode(texts);
  t.deepEqual(together.cut, []);
  for (const [i, text] of texts.entries()) {
    using alone = await encoder.encode([text]);
    using row = await together.embeddings.slice(0, i, i + 1);
    await assertClose(t, [row, alone.embeddings], 1e-6, text);
    using norm = await row.norm();
    t.true(Math.abs((await norm.item()) - 1) < 1e-6);
  }
});

test.serial("rejects no texts and what is no text, and leaves no handle behind", async (t) => {
  const { handles } = memory();
  {
    using encoder = await build("audioldm-tiny");
    await t.throwsAsync(encoder.encode([]), { code: "E_ARGUMENT" });
    const wrong = [1] as unknown as string[];
    await t.throwsAsync(encoder.encode(wrong), { code: "E_ARGUMENT" });
    const signal = AbortSignal.abort();
    await t.throwsAsync(encoder.encode(["a"], { signal }), { code: "E_ABORTED" });
    using encoding = await encoder.encode(["a", "b", "much longer"]);
    t.is(encoding.embeddings.shape[0], 3);
  }
  t.is(memory().handles, handles);
});
