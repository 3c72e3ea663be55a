import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as library from "@huggingface/tokenizers";
import { z } from "zod";
import { isFile, readJson } from "../checkpoint/files.js";
import { expected, MusicLDMError, toMusicLDMError } from "../runtime/errors.js";
import { robertaTokenizerJson } from "./roberta-tokenizer.js";

/** A text as token ids, the special ones included. */
export interface TokenizedText {
  readonly ids: readonly number[];
  /** Whether tokens beyond the limit were dropped. */
  readonly isCut: boolean;
}

interface Tokenizer {
  encode(text: string): { readonly ids: readonly number[] };
}

/** The library's own declarations import without file extensions, which Node's rules reject. */
const { Tokenizer } = library as unknown as {
  readonly Tokenizer: new (tokenizer: unknown, settings: unknown) => Tokenizer;
};

const settingsFields = z.object({
  model_max_length: z.number().positive().optional(),
  add_prefix_space: z.boolean().optional(),
});

/** A text tokenizer as the `tokenizers` library defines it. */
export class TextTokenizer {
  /** Tokens that a text may have, the special ones included. */
  readonly maxTokens: number;
  readonly #tokenizer: Tokenizer;
  readonly #end: number;

  private constructor(tokenizer: Tokenizer, maxTokens: number) {
    this.#tokenizer = tokenizer;
    this.maxTokens = maxTokens;
    this.#end = tokenizer.encode("").ids.at(-1) ?? 0;
  }

  /**
   * Read `tokenizer.json`, or where there is none RoBERTa's `vocab.json` and `merges.txt`.
   *
   * @param maxTokens The network's limit; `model_max_length` of the folder may lower it.
   * Errors: `E_IO`, `E_CONFIG` (naming the file).
   */
  static async load(folder: string, maxTokens: number): Promise<TextTokenizer> {
    const settings = await readSettings(join(folder, "tokenizer_config.json"));
    const { fields } = settings;
    const limit = Math.min(maxTokens, fields.model_max_length ?? Infinity);
    if (limit < 2) throw expected("E_ARGUMENT", "at least 2", "maxTokens", limit);
    const file = join(folder, "tokenizer.json");
    const isWhole = await isFile(file);
    const json = isWhole ? await readJson(file) : await readParts(folder, fields.add_prefix_space);
    try {
      return new TextTokenizer(new Tokenizer(json, settings.json), limit);
    } catch (cause) {
      const name = isWhole ? file : join(folder, "vocab.json");
      const message = `Expected a tokenizer in ${name} but received something else`;
      throw new MusicLDMError("E_CONFIG", message, { file: name, cause });
    }
  }

  /** Tokenise a text; of what is too long the start is kept. */
  encode(text: string): TokenizedText {
    if (typeof text !== "string") throw expected("E_ARGUMENT", "a string", "text", text);
    const { ids } = this.#tokenizer.encode(text);
    if (ids.length <= this.maxTokens) return { ids, isCut: false };
    return { ids: [...ids.slice(0, this.maxTokens - 1), this.#end], isCut: true };
  }
}

async function readSettings(file: string) {
  const json = (await isFile(file)) ? await readJson(file) : {};
  const parsed = settingsFields.safeParse(json);
  if (parsed.success) return { fields: parsed.data, json };
  const keys = parsed.error.issues.map(({ path }) => path.join("."));
  throw expected("E_CONFIG", "tokenizer settings", file, keys, { file, keys });
}

const vocabularySchema = z.record(z.string(), z.int().min(0));

async function readParts(folder: string, addPrefixSpace = false): Promise<unknown> {
  const file = join(folder, "vocab.json");
  const vocabulary = vocabularySchema.safeParse(await readJson(file));
  if (!vocabulary.success) {
    throw expected("E_CONFIG", "token numbers by token", file, "something else", { file });
  }
  const merges = await readMerges(join(folder, "merges.txt"));
  return robertaTokenizerJson({ vocabulary: vocabulary.data, merges, addPrefixSpace }, file);
}

async function readMerges(file: string): Promise<(readonly [string, string])[]> {
  const text = await readFile(file, "utf8").catch((error: unknown) => {
    throw toMusicLDMError(error);
  });
  const lines = text.split("\n").map((line) => line.replace(/\r$/, ""));
  const rules = lines.filter((line) => line !== "" && !line.startsWith("#version"));
  return rules.map((line) => {
    const [left, right, ...rest] = line.split(" ");
    if (left && right && rest.length === 0) return [left, right] as const;
    throw expected("E_CONFIG", "two tokens a line", file, line, { file });
  });
}
