import { expected } from "../runtime/errors.js";

/** What `vocab.json`, `merges.txt` and `tokenizer_config.json` hold of a RoBERTa tokenizer. */
export interface RobertaParts {
  readonly vocabulary: Readonly<Record<string, number>>;
  readonly merges: readonly (readonly [string, string])[];
  /** Whether a text that starts without a space gets one. */
  readonly addPrefixSpace: boolean;
}

const plain = { single_word: false, lstrip: false, rstrip: false, normalized: false };
/** Special tokens by their flags; `<mask>` takes the space before it. */
const specials = new Map([
  ["<s>", plain],
  ["<pad>", plain],
  ["</s>", plain],
  ["<unk>", plain],
  ["<mask>", { ...plain, lstrip: true }],
]);

/**
 * Assemble `tokenizer.json` of the `tokenizers` library: byte-level BPE between `<s>` and `</s>`.
 *
 * @param file Names the vocabulary in errors. Errors: `E_CONFIG`.
 */
export function robertaTokenizerJson(parts: RobertaParts, file: string): unknown {
  const { vocabulary, merges, addPrefixSpace } = parts;
  const idOf = (token: string): number => {
    const id = vocabulary[token];
    if (id !== undefined) return id;
    throw expected("E_CONFIG", `the token ${token}`, file, "a vocabulary without", { file });
  };
  const added = [...specials].filter(([content]) => content in vocabulary);
  const bytes = { type: "ByteLevel", add_prefix_space: addPrefixSpace, trim_offsets: true };
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: added.map(([content, flags]) => {
      return { id: idOf(content), content, ...flags, special: true };
    }),
    normalizer: null,
    pre_tokenizer: { ...bytes, use_regex: true },
    post_processor: {
      type: "RobertaProcessing",
      sep: ["</s>", idOf("</s>")],
      cls: ["<s>", idOf("<s>")],
      trim_offsets: true,
      add_prefix_space: addPrefixSpace,
    },
    decoder: { ...bytes, add_prefix_space: true, use_regex: true },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: "",
      end_of_word_suffix: "",
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: vocabulary,
      merges,
    },
  };
}
