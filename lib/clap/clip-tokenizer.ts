import { expected } from "../runtime/errors.js";

/** What the files of a CLIP tokenizer hold. */
export interface ClipParts {
  readonly vocabulary: Readonly<Record<string, number>>;
  readonly merges: readonly (readonly [string, string])[];
}

/** Start and end, as OpenAI and laion_clap call them, or as transformers does. */
const specialPairs = [
  ["<start_of_text>", "<end_of_text>"],
  ["<|startoftext|>", "<|endoftext|>"],
] as const;

const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false };
const words = /'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+/u.source;
/** Merges that the published vocabulary of 49408 tokens uses of its file. */
const mostMerges = 49_152 - 256 - 2;

/**
 * Number the tokens that OpenAI's list of merges stands for: bytes, bytes at the end of a word,
 * merges, start and end. Source: `clap_module/tokenizer.py` of LAION-AI/CLAP.
 *
 * @param text `bpe_simple_vocab_16e6.txt`, whose first line says what it is
 */
export function clipPartsOf(text: string, file: string): ClipParts {
  const lines = text.split("\n").slice(1, mostMerges + 1);
  const rules = lines.map((line) => line.trim()).filter((line) => line !== "");
  const merges = rules.map((line) => {
    const [left, right, ...rest] = line.split(/\s+/);
    if (left && right && rest.length === 0) return [left, right] as const;
    throw expected("E_CONFIG", "two tokens a line", file, line, { file });
  });
  const symbols = byteSymbols();
  const ends = symbols.map((symbol) => `${symbol}</w>`);
  const joined = merges.map(([left, right]) => left + right);
  const tokens = [...symbols, ...ends, ...joined, ...specialPairs[0]];
  return { vocabulary: Object.fromEntries(tokens.map((token, id) => [token, id])), merges };
}

/** The printable stand-ins of all bytes, in the order of the published vocabulary. */
function byteSymbols(): readonly string[] {
  const codes = Array.from({ length: 256 }, (_, code) => code);
  const isPrintable = (code: number): boolean =>
    (code >= 33 && code <= 126) || (code >= 161 && code !== 173);
  const others = codes.filter((code) => !isPrintable(code));
  const printable = codes.filter(isPrintable);
  return [...printable, ...others.map((_, i) => 256 + i)].map((code) => String.fromCharCode(code));
}

/**
 * Assemble `tokenizer.json` of the `tokenizers` library: byte-level BPE whose words end in `</w>`,
 * for texts that `cleanClipText` has cleaned.
 *
 * @param file Names the vocabulary in errors. Errors: `E_CONFIG`.
 */
export function clipTokenizerJson({ vocabulary, merges }: ClipParts, file: string): unknown {
  const pair = specialPairs.find((tokens) => tokens.every((token) => token in vocabulary));
  if (pair === undefined) {
    const what = `the tokens ${specialPairs.map((tokens) => tokens.join(" and ")).join(", or ")}`;
    throw expected("E_CONFIG", what, file, "a vocabulary without", { file });
  }
  const [start, end] = pair.map((token) => [token, vocabulary[token]] as const);
  const bytes = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true };
  const split = { type: "Split", pattern: { Regex: words }, behavior: "Removed", invert: true };
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: pair.map((content) => {
      return { id: vocabulary[content], content, ...flags, special: true };
    }),
    normalizer: null,
    pre_tokenizer: { type: "Sequence", pretokenizers: [split, { ...bytes, use_regex: false }] },
    post_processor: {
      type: "RobertaProcessing",
      sep: end,
      cls: start,
      trim_offsets: false,
      add_prefix_space: false,
    },
    decoder: { ...bytes, add_prefix_space: true, use_regex: true },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: "",
      end_of_word_suffix: "</w>",
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: vocabulary,
      merges,
    },
  };
}
