import { z } from "zod";
import { epsilon, listOf, only, parseFields, probability, real, throwProblems } from "./fields.js";
import { activation, whole, width } from "./fields.js";
import type { Parsed, Problem } from "./fields.js";

const token = whole(0, 10_000_000);

/** transformers' `ClapTextConfig`: its keys and its defaults, and the values implemented here. */
const textFields = z.object({
  vocab_size: whole(1, 10_000_000).default(50_265),
  hidden_size: width().default(768),
  num_hidden_layers: whole(1, 128).default(12),
  num_attention_heads: whole(1, 1024).default(12),
  intermediate_size: whole(1, 65_536).default(3072),
  hidden_act: only("gelu").default("gelu"),
  hidden_dropout_prob: probability().default(0.1),
  attention_probs_dropout_prob: probability().default(0.1),
  max_position_embeddings: whole(3, 1_000_000).default(514),
  type_vocab_size: whole(1, 1024).default(1),
  initializer_factor: real(0, 100).default(1),
  layer_norm_eps: epsilon().default(1e-12),
  projection_dim: width().default(512),
  pad_token_id: token.default(1),
  bos_token_id: token.nullable().default(0),
  eos_token_id: z.union([token, listOf(token, 16), z.null()], { error: "a token" }).default(2),
  projection_hidden_act: activation.default("relu"),
  // Of transformers 4, where they changed the forward pass.
  position_embedding_type: only("absolute").default("absolute"),
  is_decoder: only(false).default(false),
  add_cross_attention: only(false).default(false),
});

/** What builds the text tower and its projection. Names are transformers'. */
export type ClapTextConfig = Readonly<z.infer<typeof textFields>>;

/** Validate the configuration of a text tower and fill in defaults. Errors: `E_CONFIG`. */
export function parseClapText(json: unknown, file: string): Parsed<ClapTextConfig> {
  const parsed = parseFields(textFields, json, file);
  throwProblems(file, textProblems(parsed.config));
  return parsed;
}

function textProblems(text: ClapTextConfig): readonly Problem[] {
  const problems: Problem[] = [];
  const { hidden_size, num_attention_heads, vocab_size, pad_token_id } = text;
  if (hidden_size % num_attention_heads !== 0) {
    const expected = `a divisor of ${hidden_size} channels`;
    problems.push({ key: "num_attention_heads", expected, value: num_attention_heads });
  }
  const limit = Math.min(vocab_size, text.max_position_embeddings - 2);
  if (pad_token_id >= limit) {
    problems.push({ key: "pad_token_id", expected: `a token below ${limit}`, value: pad_token_id });
  }
  return problems;
}
