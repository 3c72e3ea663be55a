/** Height (time) and width (frequency) of a map. */
export interface MapSize {
  readonly frames: number;
  readonly bins: number;
}

/** A two-dimensional convolution, and the size of its result. */
export interface Conv2dShape extends MapSize {
  readonly batch: number;
  readonly inChannels: number;
  readonly outChannels: number;
  readonly kernel: number;
  readonly stride: number;
}

/** A layer that multiplies, with its floating-point operations: two for each multiply-add. */
export interface Layer {
  readonly operations: number;
  /** Of two-dimensional convolutions. */
  readonly conv2d?: Conv2dShape;
}

export function conv2d(shape: Conv2dShape): Layer {
  const { batch, inChannels, outChannels, kernel, frames, bins } = shape;
  const operations = 2 * batch * frames * bins * inChannels * outChannels * kernel ** 2;
  return { operations, conv2d: shape };
}

export function linear(rows: number, inWidth: number, outWidth: number): Layer {
  return { operations: 2 * rows * inWidth * outWidth };
}

/** Scores and the mixing of values; heads share the width. */
export function attentionProducts(batch: number, tokens: number, width: number): Layer {
  return { operations: 4 * batch * tokens ** 2 * width };
}

/** @param positions Of the result, or of the input where the convolution is transposed. */
export function conv1d(
  positions: number,
  channels: readonly [inChannels: number, outChannels: number],
  kernel: number,
): Layer {
  return linear(positions, channels[0] * kernel, channels[1]);
}

export function gigaflopOf(layers: Iterable<Layer>): number {
  let operations = 0;
  for (const layer of layers) operations += layer.operations;
  return operations / 1e9;
}
