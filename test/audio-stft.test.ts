import test from "ava";
import { istft, stft } from "../lib/audio/stft.js";
import type { StftOptions, WindowName } from "../lib/audio/stft.js";
import { Tensor } from "../lib/tensor/tensor.js";
import { assertClose, openGolden } from "./helpers/golden.js";
import { measureSlopes } from "./helpers/gradient.js";
import { noises } from "./helpers/noise.js";
import { declareLifetimeTest } from "./helpers/tensor-ops.js";

declareLifetimeTest();

/** Items, samples and settings of test/reference/spectra.py's STFT_CASES. */
const cases: Readonly<Record<string, readonly [number, number, StftOptions]>> = {
  centred: [3, 501, { fftSize: 64, hopSamples: 16 }],
  odd: [1, 487, { fftSize: 45, hopSamples: 11, window: "hamming" }],
  prime: [2, 300, { fftSize: 74, hopSamples: 20, windowSamples: 51, window: "blackman" }],
  "short-window": [1, 400, { fftSize: 100, hopSamples: 25, windowSamples: 60 }],
  zeros: [1, 333, { fftSize: 96, hopSamples: 24, padMode: "constant" }],
  rectangular: [1, 333, { fftSize: 30, hopSamples: 30, window: "rectangular" }],
  uncentred: [1, 400, { fftSize: 64, hopSamples: 16, padding: 0 }],
};

for (const [name, [items, samples, options]] of Object.entries(cases)) {
  test.serial(`stft equals torch.stft: ${name}`, async (t) => {
    using golden = await openGolden("spectra");
    using wave = await noises(items, samples);
    using spectrum = await stft(wave, options);
    await assertClose(t, [spectrum, golden.get(`output.stft.${name}`)], 1e-6, name);
  });
}

test.serial("istft gives the wave back", async (t) => {
  for (const [name, [items, samples, options]] of Object.entries(cases)) {
    // Without padding, Hann's zeros leave the first sample undetermined.
    if (name === "uncentred") continue;
    using wave = await noises(items, samples);
    using spectrum = await stft(wave, options);
    using back = await istft(spectrum, { ...options, length: samples });
    await assertClose(t, [back, wave], 1e-6, name);
  }
});

test.serial("istft without length gives what lies between the paddings", async (t) => {
  using wave = await noises(2, 501);
  using spectrum = await stft(wave, { fftSize: 64, hopSamples: 16 });
  using back = await istft(spectrum, { fftSize: 64, hopSamples: 16 });
  using start = await wave.slice(1, 0, 496);
  await assertClose(t, [back, start], 1e-6, "496 of 501 samples");
});

test.serial("frames aligned to their start hold no sample twice", async (t) => {
  const options = {
    fftSize: 64,
    windowSamples: 48,
    hopSamples: 48,
    window: "rectangular",
  } as const;
  using wave = await noises(1, 480);
  using spectrum = await stft(wave, { ...options, alignment: "start" });
  t.deepEqual(spectrum.shape, [1, 33, 10, 2]);
  using part = await wave.slice(1, 48, 96);
  using longer = await part.pad([0, 16]);
  using alone = await stft(longer, { fftSize: 64, window: "rectangular", padding: 0 });
  using second = await spectrum.slice(2, 1, 2);
  await assertClose(t, [second, alone], 1e-6, "the second frame");
});

test.serial("gradients of both are those of finite differences", async (t) => {
  const options = { fftSize: 36, hopSamples: 9, windowSamples: 30 };
  using wave = await noises(2, 150);
  using weights = await Tensor.randn([2, 19, 17, 2], { seed: 3 });
  const energy = async (x: Tensor): Promise<Tensor> => {
    using spectrum = await stft(x, options);
    using weighted = await spectrum.mul(weights);
    using back = await istft(weighted, options);
    using square = await back.mul(back);
    return await square.sum();
  };
  const { backward, difference } = await measureSlopes(wave, energy, 1e-2);
  t.log(`${backward} ${difference}`);
  // The loss is a square: a central difference has no error but rounding.
  t.true(Math.abs(backward / difference - 1) < 1e-3);
});

test.serial("invalid arguments are refused", async (t) => {
  using wave = await Tensor.zeros([1, 400]);
  using flat = await Tensor.zeros([400]);
  using half = await wave.to("float16");
  using spectrum = await Tensor.zeros([1, 33, 4, 2]);
  const refuses = (run: () => Promise<unknown>, code: string) => t.throwsAsync(run, { code });
  await refuses(() => stft(flat), "E_SHAPE");
  await refuses(() => stft(wave), "E_SHAPE");
  await refuses(() => stft(wave, { fftSize: 512, padding: 0 }), "E_SHAPE");
  await refuses(() => stft(half, { fftSize: 64 }), "E_DTYPE");
  await refuses(() => stft(wave, { fftSize: 1 }), "E_ARGUMENT");
  await refuses(() => stft(wave, { fftSize: 64, hopSamples: 0 }), "E_ARGUMENT");
  await refuses(() => stft(wave, { fftSize: 64, hopSamples: 1.5 }), "E_ARGUMENT");
  await refuses(() => stft(wave, { fftSize: 64, windowSamples: 65 }), "E_ARGUMENT");
  await refuses(() => stft(wave, { fftSize: 64, padding: -1 }), "E_ARGUMENT");
  await refuses(() => stft(wave, { fftSize: 64, window: "kaiser" as WindowName }), "E_ARGUMENT");
  await refuses(() => stft("wave" as unknown as Tensor), "E_ARGUMENT");
  await refuses(() => istft(spectrum), "E_SHAPE");
  await refuses(() => istft(spectrum, { fftSize: 64, length: 0 }), "E_ARGUMENT");
  await refuses(() => istft(spectrum, { fftSize: 64, length: 4000 }), "E_ARGUMENT");
  await refuses(() => istft(spectrum, { fftSize: 64, padding: 0 }), "E_ARGUMENT");
  await refuses(() => istft(spectrum, { fftSize: 64, hopSamples: 100 }), "E_ARGUMENT");
  const signal = AbortSignal.abort();
  await refuses(() => stft(wave, { fftSize: 64, signal }), "E_ABORTED");
});
