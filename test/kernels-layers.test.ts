import test from "ava";
import type { ExecutionContext } from "ava";
import type { Packing } from "../lib/nn/module.js";
import { setThreads } from "../lib/runtime/native.js";
import { Tensor } from "../lib/tensor/tensor.js";
import { Block } from "./helpers/block.js";
import type { ConvShape, OperatorCalls } from "./helpers/kernels.js";
import {
  algorithmOf,
  assertPackedEqual,
  capabilities,
  randomise,
  restoreCapability,
  selectCapability,
} from "./helpers/kernels.js";

setThreads(1);
test.afterEach.always(restoreCapability);

/**
 * 5e-6 for a layer. A group of one number has no variance, so that the norm divides the rounding of
 * its mean by √eps, whichever way it is written.
 */
function limitOf(groups: number, channels: number, positions: number): number {
  return groups === channels && positions === 1 ? 5e-5 : 5e-6;
}

/** [batch, T, F]: odd, tiny, long and narrow, and one per algorithm of a convolution. */
const sizes = [
  [1, 7, 5],
  [3, 1, 1],
  [1, 33, 3],
  [1, 256, 2],
  [3, 17, 16],
  [1, 2, 2],
  [2, 6, 6],
] as const;

const algorithms = ["direct", "winograd 2x2", "winograd 4x2", "winograd 4x4"];

/** Adds the algorithms of convolutions to a set, and asserts that as many of each kind ran. */
async function checkRan(
  t: ExecutionContext,
  convolutions: readonly ConvShape[],
  [calls, packing]: readonly [OperatorCalls, Packing],
  seen: Set<string>,
): Promise<void> {
  const chosen: string[] = [];
  for (const shape of convolutions) chosen.push(await algorithmOf(shape, packing));
  for (const name of chosen) seen.add(name);
  const direct = chosen.filter((name) => name === "direct").length;
  t.is(calls.direct, direct, "convolutions as products");
  t.is(calls.winograd, chosen.length - direct, "Winograd convolutions");
}

/** Channels in, of the skip, out; groups; width of the embedding or 0. */
const resnets = [
  [13, 0, 13, 1, 24],
  [13, 0, 26, 13, 0],
  [20, 0, 24, 4, 12],
  [24, 16, 56, 8, 20],
  [40, 13, 40, 1, 8],
  [96, 0, 64, 32, 16],
] as const;

async function checkResnets(t: ExecutionContext, index: number, seen: Set<string>): Promise<void> {
  const [channels, skipped, out, groups, embedding] = resnets[index]!;
  using block = await Block.create("resnet", {
    in_channels: channels + skipped,
    out_channels: out,
    embedding_channels: embedding,
    groups,
    eps: 1e-5,
  });
  await randomise(block, index + 1);
  for (const [batch, height, width] of sizes) {
    using x = await Tensor.randn([batch, channels, height, width], { seed: 1 });
    using skip = await Tensor.randn([batch, Math.max(skipped, 1), height, width], { seed: 2 });
    using vector = await Tensor.randn([batch, Math.max(embedding, 1)], { seed: 3 });
    const shape = { batch, height, width, out_channels: out, stride: 1, kernel: 3 };
    const convolutions = [
      { ...shape, in_channels: channels + skipped },
      { ...shape, in_channels: out },
    ];
    const shortcut = { ...shape, in_channels: channels + skipped, kernel: 1 };
    const hasShortcut = channels + skipped !== out;
    // A shortcut from one map multiplies its pixels as they are.
    if (hasShortcut && skipped > 0) convolutions.push(shortcut);
    const products = (embedding > 0 ? 1 : 0) + (hasShortcut && skipped === 0 ? 1 : 0);
    await assertPackedEqual(t, {
      module: block,
      forward: () => block.forward(x, embedding ? vector : null, skipped ? skip : null),
      limit: limitOf(groups, channels + skipped, height * width),
      what: `${channels}+${skipped} to ${out}, ${batch}x${height}x${width}`,
      inspect: (calls, packing) => {
        t.is(calls.norm, 2, "norms");
        t.is(calls.product, products, "products");
        return checkRan(t, convolutions, [calls, packing], seen);
      },
    });
  }
}

for (const capability of capabilities) {
  test.serial(`${capability}: residual blocks`, async (t) => {
    await selectCapability(capability);
    const seen = new Set<string>();
    for (const index of resnets.keys()) await checkResnets(t, index, seen);
    t.deepEqual([...seen].sort(), algorithms, "the sizes cover every algorithm");
  });

  test.serial(`${capability}: resampling`, async (t) => {
    await selectCapability(capability);
    for (const channels of [13, 24, 40]) await checkResampling(t, channels);
  });
}

async function checkResampling(t: ExecutionContext, channels: number): Promise<void> {
  using up = await Block.create("upsample", channels);
  await randomise(up, channels);
  for (const padding of [0, 1]) {
    using down = await Block.create("downsample", channels, padding);
    await randomise(down, padding + 1);
    for (const [batch, height, width] of sizes) {
      // Without padding in front, libtorch refuses what has no room for the kernel.
      if (padding === 0 && Math.min(height, width) === 1) continue;
      using x = await Tensor.randn([batch, channels, height, width], { seed: 4 });
      for (const circular of [false, true]) {
        await assertPackedEqual(t, {
          module: down,
          forward: () => down.forward(x, { circular }),
          limit: 5e-6,
          what: `down ${channels}, ${x.shape.join("x")} ${padding} ${circular}`,
          inspect: ({ direct }) => t.is(direct, 1),
        });
      }
    }
  }
  for (const [batch, height, width] of sizes)
    await checkUp(t, up, [batch, channels, height, width]);
}

async function checkUp(t: ExecutionContext, up: Block, shape: readonly number[]): Promise<void> {
  const [batch = 1, channels = 1, height = 1, width = 1] = shape;
  using x = await Tensor.randn(shape, { seed: 5 });
  for (const size of [
    [2 * height, 2 * width],
    [2 * height - 1, 2 * width + 1],
    [3 * height + 2, width],
  ] as const) {
    const convolution = { in_channels: channels, out_channels: channels, stride: 1, kernel: 3 };
    const shapes = [{ batch, height: size[0], width: size[1], ...convolution }];
    for (const circular of [false, true]) {
      await assertPackedEqual(t, {
        module: up,
        forward: () => up.forward(x, size, { circular }),
        limit: 5e-6,
        what: `up ${shape.join("x")} to ${size.join("x")} ${circular}`,
        inspect: (calls, packing) => checkRan(t, shapes, [calls, packing], new Set()),
      });
    }
  }
}

/** Channels, heads, groups, layers; whether there is a second attention, and linear projections. */
const transformers = [
  [13, 1, 13, 1, true, false],
  [20, 4, 5, 2, true, true],
  [24, 3, 1, 1, false, false],
  [40, 8, 8, 1, true, false],
  // Heads narrower than their share of the channels.
  [28, 8, 4, 1, false, true],
] as const;

const tokenMaps = [
  [1, 1, 1],
  [3, 5, 1],
  [1, 9, 7],
  [1, 200, 5],
] as const;

for (const capability of capabilities) {
  test.serial(`${capability}: transformers over 1, 5, 63 and 1000 tokens`, async (t) => {
    await selectCapability(capability);
    for (const [channels, heads, groups, layers, second, linear] of transformers) {
      using block = await Block.create("transformer", {
        channels,
        heads,
        layers,
        groups,
        second_attention: second,
        linear_projection: linear,
      });
      await randomise(block, channels);
      for (const [batch, height, width] of tokenMaps) {
        using x = await Tensor.randn([batch, channels, height, width], { seed: 6 });
        await assertPackedEqual(t, {
          module: block,
          forward: () => block.forward(x),
          limit: limitOf(groups, channels, height * width),
          what: `${channels} in ${heads} heads, ${batch}x${height * width} tokens`,
          inspect: (calls) => {
            t.is(calls.attention, layers * (second ? 2 : 1));
            t.is(calls.norm, 1);
          },
        });
      }
    }
  });
}
