import test from "ava";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { cleanClipText, fixText } from "../lib/clap/fix-text.js";
import { TextTokenizer } from "../lib/clap/tokenizer.js";

interface Row {
  readonly text: string;
  readonly ids: readonly number[];
  readonly cut: boolean;
}

const goldens = "test/goldens";

async function rowsOf(name: string): Promise<readonly Row[]> {
  const text = await readFile(join(goldens, "tokenizer-families.json"), "utf8");
  return (JSON.parse(text) as Readonly<Record<string, readonly Row[]>>)[name]!;
}

/** Folder → rows of the reference: transformers' BertTokenizer, laion_clap's SimpleTokenizer. */
const folders = {
  "tokenizer-bert": "tokenizer-bert",
  "tokenizer-bert-cased": "tokenizer-bert-cased",
  "tokenizer-clip": "tokenizer-clip",
  "tokenizer-clip-pairs": "tokenizer-clip",
};

for (const [folder, reference] of Object.entries(folders)) {
  test(`${folder}: ids equal those of the reference`, async (t) => {
    const tokenizer = await TextTokenizer.load(join(goldens, folder), 77);
    t.is(tokenizer.modelType, folder.includes("bert") ? "bert" : "clip_text_model");
    t.is(tokenizer.padTo, null);
    const rows = await rowsOf(reference);
    t.true(rows.length > 25);
    // transformers spells the special tokens otherwise.
    const same = rows.filter(({ text }) => folder === reference || !text.includes("_of_text>"));
    for (const { text, ids, cut } of same) {
      const encoded = tokenizer.encode(text);
      t.deepEqual(encoded.ids, ids, JSON.stringify(text.slice(0, 60)));
      t.is(encoded.isCut, cut);
    }
  });
}

test("CLIP's texts are cut without their end, the others keep it", async (t) => {
  const clip = await TextTokenizer.load(join(goldens, "tokenizer-clip"), 8);
  const bert = await TextTokenizer.load(join(goldens, "tokenizer-bert"), 8);
  const text = "a relaxing jazz song with piano and drums";
  const long = [clip.encode(text), bert.encode(text)];
  t.deepEqual(
    long.map(({ ids, isCut }) => [ids.length, isCut]),
    [
      [8, true],
      [8, true],
    ],
  );
  t.not(long[0]!.ids.at(-1), clip.encode("").ids.at(-1));
  t.is(long[1]!.ids.at(-1), bert.encode("").ids.at(-1));
});

test("BART's texts are cut at 77 and padded to it", async (t) => {
  const folder = join(goldens, "audioldm-tiny/tokenizer");
  const bart = await TextTokenizer.load(folder, 1024, "bart");
  const roberta = await TextTokenizer.load(folder, 1024);
  t.deepEqual([bart.maxTokens, bart.padTo, bart.modelType], [77, 77, "bart"]);
  t.deepEqual([roberta.padTo, roberta.modelType], [null, "clap_text_model"]);
  t.is((await TextTokenizer.load(folder, 20, "bart")).padTo, 20);
  const text = "techno music";
  t.deepEqual(bart.encode(text), roberta.encode(text));
  t.is(bart.encode("the drums ".repeat(100)).ids.length, 77);
});

test("tokenizer_class tells BART from RoBERTa", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "musicldm-"));
  await cp(join(goldens, "audioldm-tiny/tokenizer"), folder, { recursive: true });
  const settings = join(folder, "tokenizer_config.json");
  for (const [name, wanted] of [
    ["BartTokenizerFast", "bart"],
    ["RobertaTokenizerFast", "clap_text_model"],
    ["TokenizersBackend", "clap_text_model"],
  ] as const) {
    await writeFile(settings, JSON.stringify({ tokenizer_class: name }));
    t.is((await TextTokenizer.load(folder, 77)).modelType, wanted);
  }
  await rm(folder, { recursive: true });
});

const repairs = [
  ["cafÃ© dÃ©jÃ\u00a0 vu", "café déjà vu"],
  ["itâ€™s", "it's"],
  ["“curly” ‘quotes’", "\"curly\" 'quotes'"],
  ["ﬁne ﬂute ＬＯＵＤ　ﾀ", "fine flute LOUD タ"],
  ["a\r\nb\rc\u2028d", "a\nb\nc\nd"],
  ["\u001b[36;44mblue\u001b[0m", "blue"],
  ["lone \ud800 half", "lone \ufffd half"],
  ["P&EACUTE;REZ &ampm &hellip;", "PÉREZ &ampm …"],
  ["<b> &amp; </b>", "<b> &amp; </b>"],
  ["e\u0301", "é"],
  ["naïve", "naïve"],
] as const;

for (const [broken, wanted] of repairs) {
  test(`repairs ${JSON.stringify(broken)}`, (t) => {
    t.is(fixText(broken), wanted);
    t.is(fixText(wanted), wanted);
  });
}

test("cleans a text for CLIP", (t) => {
  t.is(
    cleanClipText("  <i>Rock &amp;amp;\n Roll</i>\u3000&copy 2020 "),
    "<i>rock & roll</i> © 2020",
  );
  t.is(cleanClipText(""), "");
});

test("names the file that is no tokenizer, or one for another network", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "musicldm-"));
  const load = (type?: "bart") => TextTokenizer.load(folder, 77, type);
  const breaks = [
    ["vocab.txt", "a\nb\n", /\[UNK\].*vocab\.txt|vocab\.txt/],
    ["bpe_simple_vocab_16e6.txt.gz", "plain", /gzip/],
    ["bpe_simple_vocab_16e6.txt.gz", gzipSync("#\na b c\n"), /two tokens a line/],
    ["tokenizer.json", '{"model":{"type":"Novel"}}', /tokenizer\.json/],
    ["tokenizer_config.json", '{"do_lower_case":"x"}', /do_lower_case/],
  ] as const;
  for (const [name, content, message] of breaks) {
    await writeFile(join(folder, name), content);
    await t.throwsAsync(load(), { code: "E_CONFIG", message }, name);
    await rm(join(folder, name));
  }
  await t.throwsAsync(load(), { code: "E_IO" });
  await cp(join(goldens, "tokenizer-bert"), folder, { recursive: true });
  await t.throwsAsync(load("bart"), { code: "E_CONFIG", message: /tokenizer for bart/ });
  await rm(folder, { recursive: true });
});
