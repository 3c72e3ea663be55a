import test from "ava";
import { Vocoder } from "../lib/latent/vocoder.js";
import { parseVocoderConfig } from "../lib/checkpoint/config/vocoder.js";
import type { VocoderConfig } from "../lib/checkpoint/config/vocoder.js";
import type { Packing } from "../lib/nn/module.js";
import { call, memory } from "../lib/runtime/native.js";
import { Tensor } from "../lib/tensor/tensor.js";
import { assertClose, openGolden } from "./helpers/golden.js";

const capabilities = (): Promise<readonly string[]> => call("kernels.capabilities", []);

test.afterEach.always(async () => {
  const [best] = await capabilities();
  await call("kernels.select_capability", [best]);
});

// Widths that are no multiple of a vector, odd differences of kernel and rate, kernels for every
// transform and beyond, and dilations that leave some phases without samples.
const shapes: Readonly<Record<string, Partial<VocoderConfig>>> = {
  narrow: {
    model_in_dim: 5,
    upsample_initial_channel: 52,
    upsample_rates: [3, 2],
    upsample_kernel_sizes: [7, 2],
    resblock_kernel_sizes: [5, 13],
    resblock_dilation_sizes: [[1, 7], [2]],
  },
  // Down to one channel, where axes of one element make strides ambiguous.
  thinnest: {
    model_in_dim: 6,
    upsample_initial_channel: 8,
    initializer_range: 0.3,
    upsample_rates: [2, 3, 2],
    upsample_kernel_sizes: [4, 9, 4],
  },
  middle: {
    model_in_dim: 13,
    upsample_initial_channel: 80,
    upsample_rates: [5, 2],
    upsample_kernel_sizes: [16, 4],
    resblock_kernel_sizes: [3, 7, 11],
    resblock_dilation_sizes: [
      [1, 3, 5],
      [1, 3, 5],
      [1, 3, 5],
    ],
    normalize_before: true,
  },
  wide: {
    model_in_dim: 24,
    upsample_initial_channel: 256,
    // Waves that saturate tanh would magnify rounding at their zero crossings.
    initializer_range: 0.02,
    upsample_rates: [2, 2],
    upsample_kernel_sizes: [4, 8],
    resblock_kernel_sizes: [7, 35],
    resblock_dilation_sizes: [[1, 5], [1]],
  },
};

async function build(change: Partial<VocoderConfig>): Promise<Vocoder> {
  using golden = await openGolden("vocoder-16k");
  const { config } = parseVocoderConfig(golden.config, "golden");
  const vocoder = await Vocoder.create({ ...config, initializer_range: 0.1, ...change });
  await vocoder.initialise(3);
  return vocoder;
}

async function comparePlain(
  t: Parameters<typeof assertClose>[0],
  vocoder: Vocoder,
  [shape, circular]: readonly [readonly number[], boolean],
): Promise<void> {
  using mel = await Tensor.randn(shape, { seed: shape[0] ?? 0 });
  await vocoder.pack("none");
  using wanted = await vocoder.vocode(mel, { circular });
  for (const packing of ["compact", "fast"] as const) {
    await vocoder.pack(packing);
    using wave = await vocoder.vocode(mel, { circular });
    await assertClose(t, [wave, wanted], 5e-6, `${packing} ${shape.join("x")} ${circular}`);
  }
}

for (const [name, change] of Object.entries(shapes)) {
  test.serial(`packed weights change nothing: ${name}`, async (t) => {
    using vocoder = await build(change);
    const bins = vocoder.config.model_in_dim;
    for (const capability of await capabilities()) {
      t.log(capability);
      await call("kernels.select_capability", [capability]);
      for (const circular of [false, true]) {
        for (const shape of [
          [1, bins],
          [3, 2, bins],
          [3, 300, bins],
        ]) {
          await comparePlain(t, vocoder, [shape, circular]);
        }
      }
    }
  });
}

test.serial("long clips are made in stretches without a seam", async (t) => {
  using vocoder = await build(shapes["narrow"] ?? {});
  for (const circular of [false, true]) await comparePlain(t, vocoder, [[2500, 5], circular]);
});

test.serial("an item of a batch is what it is alone", async (t) => {
  using vocoder = await build(shapes["middle"] ?? {});
  await vocoder.pack("fast");
  using mel = await Tensor.randn([3, 70, 13], { seed: 4 });
  using together = await vocoder.vocode(mel);
  for (let i = 0; i < 3; i += 1) {
    using one = await mel.select(0, i);
    using alone = await vocoder.vocode(one);
    using item = await together.select(0, i);
    t.deepEqual(await alone.floats(), await item.floats());
  }
});

test.serial("changed weights are packed anew", async (t) => {
  using vocoder = await build(shapes["middle"] ?? {});
  await vocoder.pack("fast");
  using mel = await Tensor.randn([40, 13], { seed: 5 });
  using first = await vocoder.vocode(mel);
  await vocoder.initialise(4);
  using second = await vocoder.vocode(mel);
  await vocoder.pack("none");
  using wanted = await vocoder.vocode(mel);
  await assertClose(t, [second, wanted], 5e-6, "second weights");
  t.notDeepEqual(await first.floats(), await second.floats());
});

async function gradientsWith(packing: Packing): Promise<Readonly<Record<string, Tensor>>> {
  using vocoder = await build(shapes["narrow"] ?? {});
  using mel = await Tensor.randn([20, 5], { seed: 6 });
  await vocoder.pack(packing);
  await vocoder.requiresGrad();
  using wave = await vocoder.vocode(mel);
  using square = await wave.mul(wave);
  using loss = await square.mean();
  await loss.backward();
  return await vocoder.grads();
}

test.serial("gradients go through libtorch's operators", async (t) => {
  const wanted = await gradientsWith("none");
  const actual = await gradientsWith("fast");
  t.deepEqual(Object.keys(actual), Object.keys(wanted));
  for (const [name, gradient] of Object.entries(wanted)) {
    t.deepEqual(await actual[name]?.floats(), await gradient.floats(), name);
  }
  for (const tensor of [wanted, actual].flatMap((set) => Object.values(set))) tensor.dispose();
});

test.serial("stops between blocks when aborted, and leaves nothing behind", async (t) => {
  const { handles } = memory();
  {
    using vocoder = await build(shapes["wide"] ?? {});
    await vocoder.pack("fast");
    using mel = await Tensor.randn([20_000, 24], { seed: 2 });
    const signal = AbortSignal.timeout(50);
    await t.throwsAsync(vocoder.vocode(mel, { signal }), { code: "E_ABORTED" });
  }
  t.is(memory().handles, handles);
});
