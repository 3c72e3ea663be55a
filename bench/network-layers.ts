import type { RobertaTextConfig } from "../lib/checkpoint/config/clap-text.js";
import type { AutoencoderConfig } from "../lib/checkpoint/config/autoencoder.js";
import type { VocoderConfig } from "../lib/checkpoint/config/vocoder.js";
import { attentionProducts, conv1d, conv2d, linear } from "./layers.js";
import type { Conv2dShape, Layer, MapSize } from "./layers.js";

/** A map of one width of channels. */
export interface Place extends MapSize {
  readonly batch: number;
}

/** A convolution that keeps the size of its map. */
export function sameConv(place: Place, channels: readonly [number, number], kernel: number): Layer {
  const [inChannels, outChannels] = channels;
  const { batch, frames, bins } = place;
  return conv2d({ batch, inChannels, outChannels, kernel, stride: 1, frames, bins });
}

/** @param embedding Width of what conditions the block; 0: nothing. */
export function* resnet(
  place: Place,
  [inChannels, outChannels]: readonly [number, number],
  embedding: number,
): Generator<Layer> {
  yield sameConv(place, [inChannels, outChannels], 3);
  if (embedding > 0) yield linear(place.batch, embedding, outChannels);
  yield sameConv(place, [outChannels, outChannels], 3);
  if (inChannels !== outChannels) yield sameConv(place, [inChannels, outChannels], 1);
}

/** Query, key, value, their products, and the output. */
export function* attention(batch: number, tokens: number, width: number): Generator<Layer> {
  for (let i = 0; i < 4; i += 1) yield linear(batch * tokens, width, width);
  yield attentionProducts(batch, tokens, width);
}

/** The text tower with its projection, on one text. */
export function* textLayers(config: RobertaTextConfig, tokens: number): Generator<Layer> {
  const { hidden_size: width, intermediate_size: inner, projection_dim: out } = config;
  for (let i = 0; i < config.num_hidden_layers; i += 1) {
    yield* attention(1, tokens, width);
    yield linear(tokens, width, inner);
    yield linear(tokens, inner, width);
  }
  yield linear(1, width, width);
  yield linear(1, width, out);
  yield linear(1, out, out);
}

/** The autoencoder's decoder, on latents of this size. */
export function* decoderLayers(config: AutoencoderConfig, latents: Place): Generator<Layer> {
  const widths = [...config.block_out_channels].reverse();
  const [deepest = 0] = widths;
  const { latent_channels: channels } = config;
  if (config.use_post_quant_conv) yield sameConv(latents, [channels, channels], 1);
  yield sameConv(latents, [channels, deepest], 3);
  yield* resnet(latents, [deepest, deepest], 0);
  if (config.mid_block_add_attention) {
    yield* attention(latents.batch, latents.frames * latents.bins, deepest);
  }
  yield* resnet(latents, [deepest, deepest], 0);
  let [place, inChannels] = [latents, deepest];
  for (const [level, width] of widths.entries()) {
    for (let i = 0; i <= config.layers_per_block; i += 1) {
      yield* resnet(place, [inChannels, width], 0);
      inChannels = width;
    }
    if (level === widths.length - 1) break;
    place = { ...place, frames: 2 * place.frames, bins: 2 * place.bins };
    yield sameConv(place, [width, width], 3);
  }
  yield sameConv(place, [inChannels, config.out_channels], 3);
}

/** The vocoder, on so many mel frames. */
export function* vocoderLayers(config: VocoderConfig, frames: number): Generator<Layer> {
  const outer = 7;
  let [positions, width] = [frames, config.upsample_initial_channel];
  yield conv1d(positions, [config.model_in_dim, width], outer);
  for (const [stage, rate] of config.upsample_rates.entries()) {
    yield conv1d(positions, [width, width / 2], config.upsample_kernel_sizes[stage] ?? rate);
    [positions, width] = [positions * rate, width / 2];
    for (const [i, kernel] of config.resblock_kernel_sizes.entries()) {
      const convolutions = 2 * (config.resblock_dilation_sizes[i] ?? []).length;
      for (let j = 0; j < convolutions; j += 1) yield conv1d(positions, [width, width], kernel);
    }
  }
  yield conv1d(positions, [width, 1], outer);
}

/** What convolutions of 3×3 there are, and how often each. */
export function conv3x3Shapes(layers: Iterable<Layer>): ReadonlyMap<Conv2dShape, number> {
  const byText = new Map<string, Conv2dShape>();
  const counts = new Map<Conv2dShape, number>();
  for (const { conv2d: shape } of layers) {
    if (shape?.kernel !== 3) continue;
    const text = JSON.stringify(shape);
    const known = byText.get(text) ?? shape;
    byText.set(text, known);
    counts.set(known, (counts.get(known) ?? 0) + 1);
  }
  return counts;
}
