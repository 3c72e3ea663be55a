import { expected } from "../runtime/errors.js";

/** What `vocab.txt` and `tokenizer_config.json` hold of a BERT tokenizer. */
export interface BertParts {
  /** Tokens in the order of their numbers. */
  readonly tokens: readonly string[];
  /** Lower the case, and drop accents unless `stripAccents` is false. */
  readonly doLowerCase: boolean;
  readonly stripAccents: boolean | null;
  /** Make every Chinese character a word. */
  readonly tokenizeChineseChars: boolean;
}

const specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] as const;
const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false };

/**
 * Assemble `tokenizer.json` of the `tokenizers` library: WordPiece between `[CLS]` and `[SEP]`.
 *
 * @param file Names the vocabulary in errors. Errors: `E_CONFIG`.
 */
export function bertTokenizerJson(parts: BertParts, file: string): unknown {
  const vocabulary = Object.fromEntries(parts.tokens.map((token, id) => [token, id]));
  const idOf = (token: string): number => {
    const id = vocabulary[token];
    if (id !== undefined) return id;
    throw expected("E_CONFIG", `the token ${token}`, file, "a vocabulary without", { file });
  };
  const special = (token: string) => ({ SpecialToken: { id: token, type_id: 0 } });
  const ids = (token: string) => ({ id: token, ids: [idOf(token)], tokens: [token] });
  const single = [special("[CLS]"), { Sequence: { id: "A", type_id: 0 } }, special("[SEP]")];
  idOf("[UNK]");
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: specials
      .filter((content) => content in vocabulary)
      .map((content) => ({ id: idOf(content), content, ...flags, special: true })),
    normalizer: {
      type: "BertNormalizer",
      clean_text: true,
      handle_chinese_chars: parts.tokenizeChineseChars,
      strip_accents: parts.stripAccents,
      lowercase: parts.doLowerCase,
    },
    pre_tokenizer: { type: "BertPreTokenizer" },
    post_processor: {
      type: "TemplateProcessing",
      single,
      pair: [...single, { Sequence: { id: "B", type_id: 1 } }, special("[SEP]")],
      special_tokens: { "[CLS]": ids("[CLS]"), "[SEP]": ids("[SEP]") },
    },
    decoder: { type: "WordPiece", prefix: "##", cleanup: true },
    model: {
      type: "WordPiece",
      unk_token: "[UNK]",
      continuing_subword_prefix: "##",
      max_input_chars_per_word: 100,
      vocab: vocabulary,
    },
  };
}

const ideographs = [
  "\\u{20000}-\\u{2a6df}",
  "\\u{2a700}-\\u{2b73f}",
  "\\u{2b740}-\\u{2b81f}",
  "\\u{2b820}-\\u{2ceaf}",
  "\\u{2f800}-\\u{2fa1f}",
];
const anyIdeograph = new RegExp(`[${ideographs.join("")}]`, "gu");

/** Make words of those Chinese characters beyond 16 bits, which the library passes over. */
export function spaceIdeographs(text: string): string {
  return text.replace(anyIdeograph, " $& ");
}
