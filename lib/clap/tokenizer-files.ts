import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { z } from "zod";
import { isFile, readJson } from "../checkpoint/files.js";
import { expected, MusicLDMError, toMusicLDMError } from "../runtime/errors.js";
import { bertTokenizerJson } from "./bert-tokenizer.js";
import { clipPartsOf, clipTokenizerJson } from "./clip-tokenizer.js";
import { robertaTokenizerJson } from "./roberta-tokenizer.js";

/** How a tokenizer cuts words: into bytes, pieces of words, or bytes with marked ends of words. */
export type TokenizerKind = "bytes" | "pieces" | "clip";

/** What defines a tokenizer. */
export interface TokenizerDefinition {
  readonly kind: TokenizerKind;
  /** `tokenizer.json`, read or assembled. */
  readonly json: unknown;
  /** The file that defines it, for errors. */
  readonly file: string;
}

const settingsFields = z.object({
  model_max_length: z.number().positive().optional(),
  add_prefix_space: z.boolean().optional(),
  tokenizer_class: z.string().nullish(),
  do_lower_case: z.boolean().optional(),
  strip_accents: z.boolean().nullish(),
  tokenize_chinese_chars: z.boolean().optional(),
});

/** The part of `tokenizer_config.json` that is used, and all of it. */
export interface TokenizerSettings {
  readonly fields: z.infer<typeof settingsFields>;
  readonly json: unknown;
}

/** Read `tokenizer_config.json`, which may be absent. Errors: `E_IO`, `E_CONFIG`. */
export async function readSettings(folder: string): Promise<TokenizerSettings> {
  const file = join(folder, "tokenizer_config.json");
  const json = (await isFile(file)) ? await readJson(file) : {};
  const parsed = settingsFields.safeParse(json);
  if (parsed.success) return { fields: parsed.data, json };
  const keys = parsed.error.issues.map(({ path }) => path.join("."));
  throw expected("E_CONFIG", "tokenizer settings", file, keys, { file, keys });
}

/**
 * Read `tokenizer.json`, or where there is none the parts: `vocab.txt` of BERT, OpenAI's
 * `bpe_simple_vocab_16e6.txt.gz`, or `vocab.json` and `merges.txt`.
 *
 * Errors: `E_IO`, `E_CONFIG` (naming the file).
 */
export async function readDefinition(
  folder: string,
  settings: TokenizerSettings,
): Promise<TokenizerDefinition> {
  const file = (name: string): string => join(folder, name);
  const whole = file("tokenizer.json");
  if (await isFile(whole)) return readWhole(whole);
  const pieces = file("vocab.txt");
  if (await isFile(pieces)) return readPieces(pieces, settings);
  const openai = file("bpe_simple_vocab_16e6.txt.gz");
  if (await isFile(openai)) return readOpenai(openai);
  return readPairs(file("vocab.json"), file("merges.txt"), settings);
}

const modelFields = z.object({
  model: z.object({ type: z.string().optional(), end_of_word_suffix: z.string().nullish() }),
});

async function readWhole(file: string): Promise<TokenizerDefinition> {
  const json = await readJson(file);
  const parsed = modelFields.safeParse(json);
  if (!parsed.success) {
    throw expected("E_CONFIG", "a tokenizer", file, "something else", { file });
  }
  const { type, end_of_word_suffix: suffix } = parsed.data.model;
  if (type === "WordPiece") return { kind: "pieces", json, file };
  return { kind: suffix === "</w>" ? "clip" : "bytes", json, file };
}

async function readPieces(
  file: string,
  { fields }: TokenizerSettings,
): Promise<TokenizerDefinition> {
  const lines = (await readText(file)).split("\n").map((line) => line.replace(/\r$/, ""));
  if (lines.at(-1) === "") lines.pop();
  const parts = {
    tokens: lines,
    doLowerCase: fields.do_lower_case ?? true,
    stripAccents: fields.strip_accents ?? null,
    tokenizeChineseChars: fields.tokenize_chinese_chars ?? true,
  };
  return { kind: "pieces", json: bertTokenizerJson(parts, file), file };
}

async function readOpenai(file: string): Promise<TokenizerDefinition> {
  const packed = await readFile(file).catch(rethrow);
  const text = await promisify(gunzip)(packed).catch((cause: unknown) => {
    const message = `Expected a gzip file in ${file} but received something else`;
    throw new MusicLDMError("E_CONFIG", message, { file, cause });
  });
  const parts = clipPartsOf(text.toString("utf8"), file);
  return { kind: "clip", json: clipTokenizerJson(parts, file), file };
}

const vocabularySchema = z.record(z.string(), z.int().min(0));

async function readPairs(
  file: string,
  mergesFile: string,
  { fields }: TokenizerSettings,
): Promise<TokenizerDefinition> {
  const parsed = vocabularySchema.safeParse(await readJson(file));
  if (!parsed.success) {
    throw expected("E_CONFIG", "token numbers by token", file, "something else", { file });
  }
  const vocabulary = parsed.data;
  const merges = await readMerges(mergesFile);
  if (merges.some(([, right]) => right.endsWith("</w>"))) {
    return { kind: "clip", json: clipTokenizerJson({ vocabulary, merges }, file), file };
  }
  const { add_prefix_space: addPrefixSpace = false } = fields;
  const json = robertaTokenizerJson({ vocabulary, merges, addPrefixSpace }, file);
  return { kind: "bytes", json, file };
}

async function readMerges(file: string): Promise<(readonly [string, string])[]> {
  const lines = (await readText(file)).split("\n").map((line) => line.replace(/\r$/, ""));
  const rules = lines.filter((line) => line !== "" && !line.startsWith("#version"));
  return rules.map((line) => {
    const [left, right, ...rest] = line.split(" ");
    if (left && right && rest.length === 0) return [left, right] as const;
    throw expected("E_CONFIG", "two tokens a line", file, line, { file });
  });
}

async function readText(file: string): Promise<string> {
  return readFile(file, "utf8").catch(rethrow);
}

function rethrow(error: unknown): never {
  throw toMusicLDMError(error);
}
