import type { ClapTextConfig } from "../checkpoint/config/clap-text.js";
import type { Checkpoint } from "../checkpoint/checkpoint.js";
import { Module } from "../nn/module.js";
import type { ModuleLoadOptions, NamedTensors } from "../nn/module.js";
import type { CallOptions } from "../runtime/abort.js";
import { call } from "../runtime/native.js";
import type { NativeReference, NativeTensor } from "../runtime/native.js";
import { checkTensor } from "../tensor/base.js";
import { Tensor } from "../tensor/tensor.js";

/** The other half of a `ClapModel`, and index tables that some versions store. */
const ignored = [
  "audio_model.",
  "audio_projection.",
  "logit_scale_",
  "text_model.embeddings.position_ids",
  "text_model.embeddings.token_type_ids",
];

/** Of BART: the half that CLAP does not use, and a copy of `shared`. */
const ignoredOfBart = ["text_model.decoder.", "text_model.encoder.embed_tokens.weight"];

/** What the text tower answers. Disposing it disposes the tensors. */
export class TextTowerOutput implements Disposable {
  /** Every token, `[B, N, C]`. */
  readonly lastHiddenState: Tensor;
  /**
   * The whole text, `[B, C]`: of RoBERTa and BERT the first token through a linear layer and tanh,
   * of BART the mean of all positions with the padding, of CLIP the token of the highest id.
   */
  readonly poolerOutput: Tensor;
  /** Its projection `[B, W]`, not normalised. */
  readonly textEmbeds: Tensor;

  /** @internal */
  constructor(native: Readonly<Record<string, NativeTensor>>) {
    const take = (key: string): Tensor => Tensor.fromNative(native[key] as NativeTensor);
    this.lastHiddenState = take("last_hidden_state");
    this.poolerOutput = take("pooler_output");
    this.textEmbeds = take("text_embeds");
  }

  dispose(): void {
    for (const tensor of [this.lastHiddenState, this.poolerOutput, this.textEmbeds]) {
      tensor.dispose();
    }
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/**
 * CLAP's text tower with its projection: transformers' `ClapTextModelWithProjection` (a RoBERTa),
 * or laion_clap's BERT, BART or CLIP transformer, as `config.model_type` says.
 *
 * BART's decoder is left out, since CLAP reads its encoder alone. Source: Wu et al., arXiv
 * 2211.06687.
 */
export class TextTower extends Module {
  readonly config: ClapTextConfig;

  private constructor({ handle }: NativeReference, config: ClapTextConfig) {
    super(handle);
    this.config = config;
  }

  /** Build the network without parameters. Errors: `E_CONFIG`. */
  static async create(config: ClapTextConfig): Promise<TextTower> {
    return new TextTower(await call<NativeReference>("clap_text.create", [config]), config);
  }

  /** Load from the text tower alone or from a whole `ClapModel`. Errors: `E_CHECKPOINT`. */
  override async load(
    source: Checkpoint | NamedTensors,
    options: ModuleLoadOptions = {},
  ): Promise<void> {
    const more = this.config.model_type === "bart" ? ignoredOfBart : [];
    const allowedExtra = [...ignored, ...more, ...(options.allowedExtra ?? [])];
    await super.load(source, { ...options, allowedExtra });
  }

  /** Tokens that a text may have, the special ones included. */
  get maxTokens(): number {
    const { config } = this;
    switch (config.model_type) {
      case "clap_text_model":
        return config.max_position_embeddings - config.pad_token_id - 1;
      case "bert":
      case "bart":
        return config.max_position_embeddings;
      case "clip_text_model":
        return config.context_length;
    }
  }

  /**
   * Run on token ids `[B, N]` int64.
   *
   * @param mask `[B, N]` int64: 1 for tokens, 0 for padding on the right. Default: all tokens.
   * CLIP needs none, since its tokens see nothing behind them.
   * Errors: `E_SHAPE`, `E_DTYPE`, `E_ARGUMENT` (an id outside the vocabulary, too many tokens).
   */
  async forward(
    ids: Tensor,
    mask: Tensor | null = null,
    options: CallOptions = {},
  ): Promise<TextTowerOutput> {
    checkTensor("ids", ids);
    if (mask !== null) checkTensor("mask", mask);
    return new TextTowerOutput(await call("clap_text.forward", [this, ids, mask], options));
  }
}
