import * as library from "@huggingface/tokenizers";
import type { ClapTextType } from "../checkpoint/config/clap-text.js";
import { expected, MusicLDMError } from "../runtime/errors.js";
import { spaceIdeographs } from "./bert-tokenizer.js";
import { cleanClipText } from "./fix-text.js";
import { readDefinition, readSettings } from "./tokenizer-files.js";
import type { TokenizerDefinition, TokenizerKind, TokenizerSettings } from "./tokenizer-files.js";

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

const kindOf: Readonly<Record<ClapTextType, TokenizerKind>> = {
  clap_text_model: "bytes",
  bart: "bytes",
  bert: "pieces",
  clip_text_model: "clip",
};

const typeOf: Readonly<Record<TokenizerKind, ClapTextType>> = {
  bytes: "clap_text_model",
  pieces: "bert",
  clip: "clip_text_model",
};

/** What texts go through before they are tokenised. */
const cleaners: Readonly<Record<TokenizerKind, (text: string) => string>> = {
  bytes: (text) => text,
  pieces: spaceIdeographs,
  clip: cleanClipText,
};

/** Tokens of every text in laion_clap. */
const laionTokens = 77;

/** A text tokenizer as the `tokenizers` library defines it. */
export class TextTokenizer {
  /** Which kind of text network it is for. */
  readonly modelType: ClapTextType;
  /** Tokens that a text may have, the special ones included. */
  readonly maxTokens: number;
  /** Tokens to which texts have to be padded, since the network sees padding; otherwise null. */
  readonly padTo: number | null;
  readonly #tokenizer: Tokenizer;
  readonly #clean: (text: string) => string;
  /** Closes a text that was cut; CLIP's are left open. */
  readonly #end: number | null;

  private constructor(tokenizer: Tokenizer, modelType: ClapTextType, maxTokens: number) {
    this.#tokenizer = tokenizer;
    this.modelType = modelType;
    this.padTo = modelType === "bart" ? Math.min(maxTokens, laionTokens) : null;
    this.maxTokens = this.padTo ?? maxTokens;
    this.#clean = cleaners[kindOf[modelType]];
    this.#end = modelType === "clip_text_model" ? null : (tokenizer.encode("").ids.at(-1) ?? 0);
  }

  /**
   * Read `tokenizer.json`, or where there is none its parts: `vocab.json` and `merges.txt` of
   * RoBERTa, BART or CLIP, BERT's `vocab.txt`, or OpenAI's `bpe_simple_vocab_16e6.txt.gz`.
   *
   * @param maxTokens The network's limit; `model_max_length` of the folder may lower it.
   * @param modelType The network's `model_type`. Default: what `tokenizer_class` says, or else what
   * the files look like, which is RoBERTa where they could be BART's.
   * Errors: `E_IO`, `E_CONFIG` (naming the file), `E_ARGUMENT`.
   */
  static async load(
    folder: string,
    maxTokens: number,
    modelType?: ClapTextType,
  ): Promise<TextTokenizer> {
    const settings = await readSettings(folder);
    const limit = Math.min(maxTokens, settings.fields.model_max_length ?? Infinity);
    if (limit < 2) throw expected("E_ARGUMENT", "at least 2", "maxTokens", limit);
    const definition = await readDefinition(folder, settings);
    const type = modelType ?? namedType(settings) ?? typeOf[definition.kind];
    requireKind(type, definition);
    try {
      return new TextTokenizer(new Tokenizer(definition.json, settings.json), type, limit);
    } catch (cause) {
      const { file } = definition;
      const message = `Expected a tokenizer in ${file} but received something else`;
      throw new MusicLDMError("E_CONFIG", message, { file, cause });
    }
  }

  /**
   * Tokenise a text, without padding; of what is too long the start is kept, and of all but CLIP's
   * tokens the end token as well. For CLIP a text is first cleaned as laion_clap does it.
   *
   * Errors: `E_ARGUMENT`.
   */
  encode(text: string): TokenizedText {
    if (typeof text !== "string") throw expected("E_ARGUMENT", "a string", "text", text);
    const { ids } = this.#tokenizer.encode(this.#clean(text));
    if (ids.length <= this.maxTokens) return { ids, isCut: false };
    if (this.#end === null) return { ids: ids.slice(0, this.maxTokens), isCut: true };
    return { ids: [...ids.slice(0, this.maxTokens - 1), this.#end], isCut: true };
  }
}

function namedType({ fields }: TokenizerSettings): ClapTextType | undefined {
  switch (fields.tokenizer_class?.replace(/Fast$/, "")) {
    case "RobertaTokenizer":
      return "clap_text_model";
    case "BartTokenizer":
      return "bart";
    case "BertTokenizer":
      return "bert";
    case "CLIPTokenizer":
      return "clip_text_model";
    default:
      return undefined;
  }
}

function requireKind(type: ClapTextType, { kind, file }: TokenizerDefinition): void {
  if (kindOf[type] === kind) return;
  throw expected("E_CONFIG", `a tokenizer for ${type}`, file, `one for ${typeOf[kind]}`, { file });
}
