import type { ClapConfig, HtsatConfig, RobertaTextConfig } from "../checkpoint/index.js";
import { writeSafetensors } from "../checkpoint/index.js";
import { expected } from "../runtime/errors.js";
import { throwIfAborted } from "../runtime/native.js";
import { Generator } from "../tensor/generator.js";
import { Tensor } from "../tensor/tensor.js";

/** How a tensor of a fresh CLAP starts; `draw` consumes the generator only where it is random. */
export interface ClapWeight {
  readonly name: string;
  readonly shape: readonly number[];
  readonly draw: (generator: Generator) => Promise<Tensor>;
}

/** Standard deviation of every embedding. */
const embeddingStd = 0.02;

/** Draw the weights of a CLAP and write them to a safetensors file. Errors: `E_IO`, `E_ABORTED`. */
export async function writeClapWeights(
  path: string,
  config: ClapConfig,
  { seed, signal }: { readonly seed: number; readonly signal?: AbortSignal | undefined },
): Promise<void> {
  using generator = new Generator(seed);
  const tensors: Record<string, Tensor> = {};
  try {
    for (const { name, draw } of clapWeights(config)) {
      throwIfAborted(signal);
      tensors[name] = await draw(generator);
    }
    // transformers refuses a file without this metadata.
    await writeSafetensors(path, tensors, { format: "pt" }, { signal });
  } finally {
    for (const tensor of Object.values(tensors)) tensor.dispose();
  }
}

/**
 * List the tensors of transformers' `ClapModel` or `ClapTextModelWithProjection` with the
 * initialisers of its `_init_weights`.
 *
 * Errors: `E_CONFIG` for a text network other than RoBERTa and an audio network other than HTSAT.
 */
export function clapWeights(config: ClapConfig): readonly ClapWeight[] {
  const { text, audio } = config;
  if (text.model_type !== "clap_text_model") {
    throw expected("E_CONFIG", '"clap_text_model"', "text_config.model_type", text.model_type);
  }
  const textStd = linearStd(text.hidden_size, text.num_hidden_layers, text.initializer_factor);
  if (audio === null) {
    return [...textTower(text, textStd), ...projection("text", text.hidden_size, text, textStd)];
  }
  if (audio.model_type === "pann") {
    throw expected("E_CONFIG", "an HTSAT", "audio_config.model_type", audio.model_type);
  }
  // The whole model counts the stages of the audio tower as layers.
  const layers = text.num_hidden_layers + audio.depths.length;
  const std = linearStd(text.hidden_size, layers, config.initializer_factor);
  const scale = Math.log(config.logit_scale_init_value);
  return [
    constant("logit_scale_a", [], scale),
    constant("logit_scale_t", [], scale),
    ...textTower(text, textStd),
    ...projection("text", text.hidden_size, text, std),
    ...audioTower(audio),
    ...projection("audio", audio.hidden_size, text, std),
  ];
}

function linearStd(width: number, layers: number, factor: number): number {
  return factor / Math.sqrt(width * 2 * layers);
}

function textTower(text: RobertaTextConfig, std: number): readonly ClapWeight[] {
  const { hidden_size: width, intermediate_size: inner, max_position_embeddings: length } = text;
  const embeddings = "text_model.embeddings";
  const embedding = (name: string, count: number): ClapWeight =>
    normal(`${embeddings}.${name}.weight`, [count, width], embeddingStd * text.initializer_factor);
  return [
    { name: `${embeddings}.position_ids`, shape: [1, length], draw: () => counting(length) },
    integers(`${embeddings}.token_type_ids`, [1, length]),
    embedding("word_embeddings", text.vocab_size),
    embedding("token_type_embeddings", text.type_vocab_size),
    ...norm(`${embeddings}.LayerNorm`, width),
    embedding("position_embeddings", length),
    ...range(text.num_hidden_layers).flatMap((i) => {
      const layer = `text_model.encoder.layer.${i}`;
      return [
        ...attention(`${layer}.attention`, width, std),
        ...norm(`${layer}.attention.output.LayerNorm`, width),
        ...linear(`${layer}.intermediate.dense`, [inner, width], std),
        ...linear(`${layer}.output.dense`, [width, inner], std),
        ...norm(`${layer}.output.LayerNorm`, width),
      ];
    }),
    ...linear("text_model.pooler.dense", [width, width], std),
  ];
}

/** HTSAT: a Swin transformer over the folded spectrogram. */
function audioTower(audio: HtsatConfig): readonly ClapWeight[] {
  const encoder = "audio_model.audio_encoder";
  const { patch_embeds_hidden_size: first, hidden_size: last } = audio;
  const std = linearStd(last, audio.num_hidden_layers, audio.initializer_factor);
  const [patchHeight, patchWidth] = pair(audio.patch_size);
  const patch = [first, audio.patch_embed_input_channels, patchHeight, patchWidth];
  return [
    ...linear(`${encoder}.patch_embed.proj`, patch, std),
    ...norm(`${encoder}.patch_embed.norm`, first),
    ...(audio.enable_fusion ? fusion(`${encoder}.patch_embed`, audio, std) : []),
    ...audio.depths.flatMap((depth, stage) => {
      const width = first * 2 ** stage;
      const prefix = `${encoder}.layers.${stage}`;
      const shape = { width, heads: audio.num_attention_heads[stage] ?? 1, std };
      const blocks = range(depth).flatMap((i) => swinBlock(`${prefix}.blocks.${i}`, audio, shape));
      const merge = [
        normal(`${prefix}.downsample.reduction.weight`, [2 * width, 4 * width], std),
        ...norm(`${prefix}.downsample.norm`, 4 * width),
      ];
      return stage === audio.depths.length - 1 ? blocks : [...blocks, ...merge];
    }),
    ...batchNorm(`${encoder}.batch_norm`, audio.num_mel_bins),
    ...norm(`${encoder}.norm`, last),
  ];
}

/** What merges the crops of a long clip with the whole of it: attentional feature fusion. */
function fusion(prefix: string, audio: HtsatConfig, std: number): readonly ClapWeight[] {
  const { patch_embeds_hidden_size: width, patch_embed_input_channels: channels } = audio;
  const inner = Math.trunc(width / audio.aff_block_r);
  const [patchHeight, patchWidth] = pair(audio.patch_size);
  // Numbers are places in the reference's sequence of layers; the global one starts with a pool.
  const branch = (name: string, start: number): readonly ClapWeight[] => {
    const layer = (offset: number) => `${prefix}.fusion_model.${name}.${start + offset}`;
    return [
      ...linear(layer(0), [inner, width, 1, 1], std),
      ...batchNorm(layer(1), inner),
      ...linear(layer(3), [width, inner, 1, 1], std),
      ...batchNorm(layer(4), width),
    ];
  };
  return [
    ...branch("local_att", 0),
    ...branch("global_att", 1),
    ...linear(`${prefix}.mel_conv2d`, [width, channels, patchHeight, 3 * patchWidth], std),
  ];
}

interface StageShape {
  readonly width: number;
  readonly heads: number;
  readonly std: number;
}

function swinBlock(
  prefix: string,
  { window_size: window, mlp_ratio: ratio }: HtsatConfig,
  { width, heads, std }: StageShape,
): readonly ClapWeight[] {
  const inner = Math.trunc(ratio * width);
  const self = `${prefix}.attention.self`;
  const positions = {
    name: `${self}.relative_position_index`,
    shape: [window ** 2, window ** 2],
    draw: () => relativePositions(window),
  };
  return [
    ...norm(`${prefix}.layernorm_before`, width),
    constant(`${self}.relative_position_bias_table`, [(2 * window - 1) ** 2, heads], 0),
    positions,
    ...attention(`${prefix}.attention`, width, std),
    ...norm(`${prefix}.layernorm_after`, width),
    ...linear(`${prefix}.intermediate.dense`, [inner, width], std),
    ...linear(`${prefix}.output.dense`, [width, inner], std),
  ];
}

function attention(prefix: string, width: number, std: number): readonly ClapWeight[] {
  const names = ["self.query", "self.key", "self.value", "output.dense"];
  return names.flatMap((name) => linear(`${prefix}.${name}`, [width, width], std));
}

function projection(
  tower: "text" | "audio",
  width: number,
  { projection_dim: out }: RobertaTextConfig,
  std: number,
): readonly ClapWeight[] {
  return [
    ...linear(`${tower}_projection.linear1`, [out, width], std),
    ...linear(`${tower}_projection.linear2`, [out, out], std),
  ];
}

/** The weight and the zero bias of a linear or convolutional layer; axis 0 is the output. */
function linear(prefix: string, shape: readonly number[], std: number): readonly ClapWeight[] {
  return [normal(`${prefix}.weight`, shape, std), constant(`${prefix}.bias`, shape.slice(0, 1), 0)];
}

function norm(prefix: string, width: number): readonly ClapWeight[] {
  return [constant(`${prefix}.weight`, [width], 1), constant(`${prefix}.bias`, [width], 0)];
}

function batchNorm(prefix: string, width: number): readonly ClapWeight[] {
  return [
    ...norm(prefix, width),
    constant(`${prefix}.running_mean`, [width], 0),
    constant(`${prefix}.running_var`, [width], 1),
    integers(`${prefix}.num_batches_tracked`, []),
  ];
}

function normal(name: string, shape: readonly number[], std: number): ClapWeight {
  return {
    name,
    shape,
    draw: async (generator) => {
      using unit = await Tensor.randn(shape, { generator });
      return await unit.mul(std);
    },
  };
}

function constant(name: string, shape: readonly number[], value: number): ClapWeight {
  return { name, shape, draw: () => Tensor.full(shape, value) };
}

function integers(name: string, shape: readonly number[]): ClapWeight {
  return { name, shape, draw: () => Tensor.zeros(shape, { dtype: "int64" }) };
}

async function counting(length: number): Promise<Tensor> {
  using counts = await Tensor.arange(0, length);
  return await counts.reshape([1, length]);
}

/** Row of the bias table for each query and key of a window, `[window², window²]` int64. */
async function relativePositions(window: number): Promise<Tensor> {
  const cells = window * window;
  const values = BigInt64Array.from({ length: cells * cells }, (_, i) => {
    const [query, key] = [Math.floor(i / cells), i % cells];
    const rows = Math.floor(query / window) - Math.floor(key / window) + window - 1;
    const columns = (query % window) - (key % window) + window - 1;
    return BigInt(rows * (2 * window - 1) + columns);
  });
  return Tensor.from(values, [cells, cells]);
}

function pair(size: number | readonly number[]): readonly [number, number] {
  const list = typeof size === "number" ? [size, size] : size;
  return [list[0] ?? 1, list[1] ?? list[0] ?? 1];
}

function range(count: number): readonly number[] {
  return Array.from({ length: count }, (_, i) => i);
}
