import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { robertaTokenizerJson } from "./roberta-tokenizer.js";

/**
 * A RoBERTa tokenizer without merges: each byte of the UTF-8 text is one token. It has the special
 * tokens of RoBERTa under their own numbers, so that every program for such tokenizers reads it.
 */

const specials = ["<s>", "<pad>", "</s>", "<unk>"] as const;
const mask = "<mask>";
const errors = "replace";

/** Tokens of the vocabulary: the special ones and one per byte. */
export const byteTokenCount = specials.length + 256 + 1;

/**
 * The character that stands for each byte in a byte-level vocabulary: printable bytes for
 * themselves, the others from U+0100 on, in the order of GPT-2's vocabulary (printable ones first).
 */
function byteSymbols(): readonly string[] {
  const isPrintable = (byte: number): boolean =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  const bytes = Array.from({ length: 256 }, (_, byte) => byte);
  const printable = bytes.filter(isPrintable).map((byte) => String.fromCharCode(byte));
  const others = bytes
    .filter((byte) => !isPrintable(byte))
    .map((_, index) => String.fromCharCode(256 + index));
  return [...printable, ...others];
}

function vocabulary(): Readonly<Record<string, number>> {
  const tokens = [...specials, ...byteSymbols(), mask];
  return Object.fromEntries(tokens.map((token, id) => [token, id]));
}

/** `tokenizer.json`, the format of the `tokenizers` library. */
function tokenizerJson(): unknown {
  const parts = { vocabulary: vocabulary(), merges: [], addPrefixSpace: false };
  return robertaTokenizerJson(parts, "vocab.json");
}

const maskToken = {
  content: mask,
  single_word: false,
  lstrip: true,
  rstrip: false,
  normalized: false,
};

const named = {
  bos_token: "<s>",
  eos_token: "</s>",
  unk_token: "<unk>",
  pad_token: "<pad>",
  sep_token: "</s>",
  cls_token: "<s>",
};

/** What to tell the user of a folder with this tokenizer. */
export const byteTokenizerNotice =
  "Its tokenizer has one token per byte, not the published vocabulary.";

/** Write the tokenizer's files into a folder, which is made where there is none. */
export async function writeByteTokenizer(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const [name, text] of Object.entries(byteTokenizerFiles())) {
    await writeFile(join(folder, name), text);
  }
}

/** The files of the tokenizer folder, by name. */
function byteTokenizerFiles(): Readonly<Record<string, string>> {
  const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;
  return {
    "tokenizer.json": json(tokenizerJson()),
    "vocab.json": json(vocabulary()),
    "merges.txt": "#version: 0.2\n",
    "special_tokens_map.json": json({ ...named, mask_token: maskToken }),
    "tokenizer_config.json": json({
      ...named,
      mask_token: { __type: "AddedToken", ...maskToken },
      errors,
      add_prefix_space: false,
      trim_offsets: true,
      model_max_length: 512,
      tokenizer_class: "RobertaTokenizer",
    }),
  };
}
