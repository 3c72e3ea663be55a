import type { UNetConfig } from "../lib/checkpoint/config/unet.js";
import { conv2d, linear } from "./layers.js";
import type { Layer, MapSize } from "./layers.js";
import { attention, resnet, sameConv } from "./network-layers.js";
import type { Place } from "./network-layers.js";

/** What a level is made of. */
interface Level {
  readonly config: UNetConfig;
  readonly level: number;
  readonly place: Place;
}

function* transformer({ config, level, place }: Level): Generator<Layer> {
  const width = config.block_out_channels[level] ?? 0;
  const tokens = place.frames * place.bins;
  const rows = place.batch * tokens;
  const projection = config.use_linear_projection
    ? linear(rows, width, width)
    : sameConv(place, [width, width], 1);
  yield projection;
  for (let i = 0; i < (config.transformer_layers_per_block[level] ?? 0); i += 1) {
    yield* attention(place.batch, tokens, width);
    if (config.cross_attention_dim[level] !== 0) yield* attention(place.batch, tokens, width);
    yield linear(rows, width, 8 * width);
    yield linear(rows, 4 * width, width);
  }
  yield projection;
}

function embeddingWidth(config: UNetConfig): number {
  return 4 * (config.block_out_channels[0] ?? 0) * (config.class_embeddings_concat ? 2 : 1);
}

function* layer(at: Level, inChannels: number, attends: boolean): Generator<Layer> {
  const width = at.config.block_out_channels[at.level] ?? 0;
  yield* resnet(at.place, [inChannels, width], embeddingWidth(at.config));
  if (attends) yield* transformer(at);
}

function halved({ downsample_padding: padding }: UNetConfig, size: MapSize): MapSize {
  const half = padding === 0 ? Math.floor : Math.ceil;
  return { frames: half(size.frames / 2), bins: half(size.bins / 2) };
}

function* down(config: UNetConfig, places: readonly Place[]): Generator<Layer> {
  for (const [level, place] of places.entries()) {
    const width = config.block_out_channels[level] ?? 0;
    const attends = config.down_block_types[level] === "CrossAttnDownBlock2D";
    let inChannels = config.block_out_channels[Math.max(0, level - 1)] ?? 0;
    for (let i = 0; i < (config.layers_per_block[level] ?? 0); i += 1) {
      yield* layer({ config, level, place }, inChannels, attends);
      inChannels = width;
    }
    const next = places[level + 1];
    if (!next) return;
    yield conv2d({ ...next, inChannels: width, outChannels: width, kernel: 3, stride: 2 });
  }
}

function* up(config: UNetConfig, places: readonly Place[]): Generator<Layer> {
  const widths = config.block_out_channels;
  const last = places.length - 1;
  for (let level = last; level >= 0; level -= 1) {
    const width = widths[level] ?? 0;
    const place = places[level] as Place;
    const attends = config.up_block_types[last - level] === "CrossAttnUpBlock2D";
    const layers = (config.layers_per_block[level] ?? 0) + 1;
    let inChannels = widths[Math.min(last, level + 1)] ?? 0;
    for (let i = 0; i < layers; i += 1) {
      // The last skip of a level is what came into it on the way down.
      const skip = widths[i + 1 === layers ? Math.max(0, level - 1) : level] ?? 0;
      yield* layer({ config, level, place }, inChannels + skip, attends);
      inChannels = width;
    }
    if (level > 0) yield sameConv(places[level - 1] as Place, [width, width], 3);
  }
}

/** The UNet, on latents of this size. */
export function* unetLayers(config: UNetConfig, latents: Place): Generator<Layer> {
  const { batch } = latents;
  const widths = config.block_out_channels;
  const [top = 0, deepest = 0] = [widths[0], widths.at(-1)];
  yield linear(batch, top, 4 * top);
  yield linear(batch, 4 * top, 4 * top);
  yield linear(batch, config.projection_class_embeddings_input_dim, 4 * top);
  yield sameConv(latents, [config.in_channels, top], 3);
  const places: Place[] = [latents];
  for (let i = 1; i < widths.length; i += 1) {
    places.push({ batch, ...halved(config, places[i - 1] as Place) });
  }
  yield* down(config, places);
  const level = widths.length - 1;
  const bottom = { config, level, place: places[level] as Place };
  yield* layer(bottom, deepest, true);
  yield* layer(bottom, deepest, false);
  yield* up(config, places);
  yield sameConv(latents, [top, config.out_channels], 3);
}
