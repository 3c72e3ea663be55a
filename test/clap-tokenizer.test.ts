import test from "ava";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TextTokenizer } from "../lib/clap/tokenizer.js";
import { openGolden } from "./helpers/golden.js";

interface Prompt {
  readonly text: string;
  readonly ids: readonly number[];
}

const whole = "test/goldens/musicldm-tiny/tokenizer";
const parts = "test/goldens/audioldm-tiny/tokenizer";

async function prompts(name: string): Promise<readonly Prompt[]> {
  using golden = await openGolden(name);
  return JSON.parse(golden.metadata["prompts"]!) as Prompt[];
}

for (const [name, folder] of [
  ["pipeline-musicldm", whole],
  ["pipeline-audioldm", parts],
] as const) {
  test(`${name}: ids equal those of the tokenizers library`, async (t) => {
    const tokenizer = await TextTokenizer.load(folder, 512);
    const list = await prompts(name);
    t.true(list.length > 10);
    for (const { text, ids } of list) {
      const encoded = tokenizer.encode(text);
      t.deepEqual(encoded.ids, ids, JSON.stringify(text.slice(0, 60)));
      t.is(encoded.isCut, text.length > 512 || ids.length === 512);
    }
  });
}

test("cuts what is too long, and keeps the end token", async (t) => {
  const tokenizer = await TextTokenizer.load(whole, 6);
  const full = await TextTokenizer.load(whole, 512);
  t.is(full.maxTokens, 512);
  const text = "techno music";
  const { ids } = full.encode(text);
  t.deepEqual(tokenizer.encode(text), { ids: [...ids.slice(0, 5), 2], isCut: true });
  const exact = await TextTokenizer.load(whole, ids.length);
  t.deepEqual(exact.encode(text), { ids, isCut: false });
});

test("model_max_length lowers the limit", async (t) => {
  t.is((await TextTokenizer.load(whole, 10_000)).maxTokens, 512);
});

test("names the file that is no tokenizer", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "musicldm-"));
  const load = () => TextTokenizer.load(folder, 512);
  await cp(parts, folder, { recursive: true });
  const breaks = [
    ["merges.txt", "a b c\n", /merges\.txt/],
    ["vocab.json", '{"a":0}', /<\/?s>/],
    ["vocab.json", '{"a":"b"}', /vocab\.json/],
    ["tokenizer_config.json", '{"model_max_length":"x"}', /tokenizer_config\.json/],
    ["tokenizer.json", '{"model":3}', /tokenizer\.json/],
    ["tokenizer.json", "{", /tokenizer\.json/],
  ] as const;
  for (const [name, content, message] of breaks) {
    await writeFile(join(folder, name), content);
    await t.throwsAsync(load(), { code: "E_CONFIG", message }, `${name} ${content}`);
    await cp(parts, folder, { recursive: true });
  }
  await rm(folder, { recursive: true });
  await t.throwsAsync(load(), { code: "E_IO" });
  await t.throwsAsync(TextTokenizer.load(whole, 1), { code: "E_ARGUMENT" });
  const tokenizer = await TextTokenizer.load(whole, 512);
  t.throws(() => tokenizer.encode(3 as unknown as string), { code: "E_ARGUMENT" });
});
