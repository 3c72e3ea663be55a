import test from "ava";
import { parseVocoderConfig } from "../lib/checkpoint/config/vocoder.js";
import { Vocoder } from "../lib/latent/vocoder.js";
import { memory } from "../lib/runtime/native.js";
import { Tensor } from "../lib/tensor/tensor.js";
import type { Golden } from "./helpers/golden.js";
import { assertClose, openGolden, relativeNorm } from "./helpers/golden.js";
import { measureSlopes } from "./helpers/gradient.js";
import { packings } from "./helpers/kernels.js";

const names = ["vocoder-16k", "vocoder-normalised"] as const;

async function build(golden: Golden): Promise<Vocoder> {
  const { config } = parseVocoderConfig(golden.config, "golden");
  const vocoder = await Vocoder.create(config);
  await vocoder.load(golden.under("weight."));
  return vocoder;
}

test.serial("leaves no handle behind", async (t) => {
  const { handles } = memory();
  {
    using golden = await openGolden("vocoder-16k");
    using vocoder = await build(golden);
    using wave = await vocoder.vocode(golden.get("input.mel.frame1"));
    t.deepEqual(wave.shape, [1, 192]);
  }
  t.is(memory().handles, handles);
});

for (const name of names) {
  for (const packing of packings) {
    test.serial(`${name} makes the waveforms of transformers, packed ${packing}`, async (t) => {
      using golden = await openGolden(name);
      using vocoder = await build(golden);
      await vocoder.pack(packing);
      for (const key of ["single", "frame1", "batch3"]) {
        const mel = golden.get(`input.mel.${key}`);
        using wave = await vocoder.vocode(mel);
        await assertClose(t, [wave, golden.get(`output.wave.${key}`)], 1e-5, key);
        t.is(wave.shape.at(-1), vocoder.samplesOf(mel.shape.at(-2) ?? 0));
      }
    });
  }

  test.serial(`${name} turns with its mel in circular time`, async (t) => {
    using golden = await openGolden(name);
    using vocoder = await build(golden);
    const options = { circular: true };
    const mel = golden.get("input.mel.single");
    using turned = await mel.roll(4, 0);
    using wave = await vocoder.vocode(mel, options);
    using waveOfTurned = await vocoder.vocode(turned, options);
    using turnedWave = await wave.roll(4 * vocoder.hopSamples, 0);
    await assertClose(t, [waveOfTurned, turnedWave], 1e-5, "turned");
    t.true((await relativeNorm(waveOfTurned, wave)) > 0.1, "a turn is not the identity");
    t.deepEqual(wave.shape, [9 * vocoder.hopSamples]);
    t.is(vocoder.samplesOf(9, options), 9 * vocoder.hopSamples);
    using straight = await vocoder.vocode(mel);
    using cut = await straight.slice(0, 0, 9 * vocoder.hopSamples);
    t.true((await relativeNorm(cut, wave)) > 1e-3, "circular time changes the borders");
  });

  test.serial(`${name} gives an item of a batch what it gives it alone`, async (t) => {
    using golden = await openGolden(name);
    using vocoder = await build(golden);
    const mel = golden.get("input.mel.batch3");
    using together = await vocoder.vocode(mel);
    for (let i = 0; i < 3; i += 1) {
      using one = await mel.select(0, i);
      using alone = await vocoder.vocode(one);
      using item = await together.select(0, i);
      await assertClose(t, [alone, item], 1e-5, `item ${i}`);
    }
  });
}

test.serial("gradients equal finite differences", async (t) => {
  using golden = await openGolden("vocoder-normalised");
  using vocoder = await build(golden);
  await vocoder.requiresGrad();
  const loss = async (input: Tensor): Promise<Tensor> => {
    using wave = await vocoder.vocode(input);
    using square = await wave.mul(wave);
    return await square.mean();
  };
  const slopes = await measureSlopes(golden.get("input.mel.batch3"), loss, 1e-2);
  t.log(slopes);
  // Central differences in float32 across the kinks of leaky ReLU are good to about 1e-3.
  t.true(Math.abs(slopes.difference / slopes.backward - 1) <= 5e-3);
  const gradients = await vocoder.grads();
  const parameters = Object.keys(golden.under("weight.")).filter((key) => key.includes("."));
  t.deepEqual(Object.keys(gradients).sort(), parameters.sort());
  for (const tensor of Object.values(gradients)) tensor.dispose();
});

test.serial("stops between blocks when aborted", async (t) => {
  using golden = await openGolden("vocoder-16k");
  using vocoder = await build(golden);
  using mel = await Tensor.randn([20_000, 64], { seed: 2 });
  const signal = AbortSignal.timeout(50);
  await t.throwsAsync(vocoder.vocode(mel, { signal }), { code: "E_ABORTED" });
});

test.serial("counts samples as the published network does", async (t) => {
  using golden = await openGolden("vocoder-16k");
  using vocoder = await build(golden);
  const frames = [1, 4, 51, 52, 1024];
  t.deepEqual(
    frames.map((count) => vocoder.samplesOf(count)),
    [192, 672, 8192, 8352, 163872],
  );
  t.is(vocoder.sampleRate, 16000);
  t.throws(() => vocoder.samplesOf(0), { code: "E_ARGUMENT" });
});

test.serial("initialises as transformers does", async (t) => {
  using golden = await openGolden("vocoder-16k");
  const { config } = parseVocoderConfig(golden.config, "golden");
  using vocoder = await Vocoder.create(config);
  await vocoder.initialise(3);
  const state = await vocoder.state();
  const weight = (await state["conv_pre.weight"]?.floats()) ?? new Float32Array(0);
  const deviation = Math.sqrt(weight.reduce((sum, x) => sum + x * x, 0) / weight.length);
  t.true(Math.abs(deviation / config.initializer_range - 1) < 0.05, `deviation ${deviation}`);
  t.true((await state["conv_pre.bias"]?.floats())?.every((value) => value === 0));
  t.true((await state["mean"]?.floats())?.every((value) => value === 0));
  t.true((await state["scale"]?.floats())?.every((value) => value === 1));
  for (const tensor of Object.values(state)) tensor.dispose();
});

test.serial("names what a shape should have been", async (t) => {
  using golden = await openGolden("vocoder-16k");
  using vocoder = await build(golden);
  const message = /\[frames, 64\] or \[batch, frames, 64\] for logMel/;
  for (const shape of [[9, 63], [64], [1, 1, 9, 64], [0, 64]]) {
    using mel = await Tensor.zeros(shape);
    await t.throwsAsync(vocoder.vocode(mel), { code: "E_SHAPE", message });
  }
  using whole = await Tensor.zeros([9, 64], { dtype: "int64" });
  await t.throwsAsync(vocoder.vocode(whole), { code: "E_DTYPE" });
});

test.serial("needs parameters, a possible configuration, a live module and no abort", async (t) => {
  using golden = await openGolden("vocoder-16k");
  const { config } = parseVocoderConfig(golden.config, "golden");
  const vocoder = await Vocoder.create(config);
  const mel = golden.get("input.mel.single");
  await t.throwsAsync(vocoder.vocode(mel), { code: "E_ARGUMENT" });
  await vocoder.load(golden.under("weight."));
  const signal = AbortSignal.abort();
  await t.throwsAsync(vocoder.vocode(mel, { signal }), { code: "E_ABORTED" });
  const running = vocoder.vocode(mel);
  vocoder.dispose();
  using wave = await running;
  t.deepEqual(wave.shape, [1472]);
  await t.throwsAsync(vocoder.vocode(mel), { code: "E_DISPOSED" });
  for (const wrong of [
    { upsample_rates: [] },
    { upsample_kernel_sizes: [16] },
    { resblock_kernel_sizes: [3, 7, 10] },
    { resblock_dilation_sizes: [[1]] },
    { upsample_initial_channel: 16 },
  ]) {
    await t.throwsAsync(Vocoder.create({ ...config, ...wrong }), { code: "E_CONFIG" });
  }
});
