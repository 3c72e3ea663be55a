import { copyFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { isFile } from "../../checkpoint/files.js";
import { expected, toMusicLDMError } from "../../runtime/errors.js";

/** Files of which one has to be there: the vocabularies of each kind of tokenizer. */
const vocabularies = [
  "tokenizer.json",
  "vocab.json",
  "vocab.txt",
  "bpe_simple_vocab_16e6.txt.gz",
] as const;

const others = [
  "merges.txt",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
] as const;

/** Find a tokenizer in a folder or in its `tokenizer/`. Errors: `E_IO` where there is none. */
export async function findTokenizer(folder: string): Promise<readonly string[]> {
  for (const place of [folder, join(folder, "tokenizer")]) {
    const found = await present(place, vocabularies);
    if (found.length > 0) return [...found, ...(await present(place, others))];
  }
  const what = `a folder with ${vocabularies.join(", ")}`;
  throw expected("E_IO", what, "tokenizer", folder, { path: folder });
}

async function present(folder: string, names: readonly string[]): Promise<readonly string[]> {
  const paths = names.map((name) => join(folder, name));
  const isThere = await Promise.all(paths.map(isFile));
  return paths.filter((_, i) => isThere[i]);
}

/** Copy files into a folder, which is made. Errors: `E_IO`. */
export async function copyInto(folder: string, files: readonly string[]): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
    for (const file of files) await copyFile(file, join(folder, file.replace(/^.*[\\/]/, "")));
  } catch (error) {
    throw toMusicLDMError(error);
  }
}
