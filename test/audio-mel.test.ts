import test from "ava";
import { logMel, melFilterBank, melSpectrogram } from "../lib/audio/mel.js";
import type { MelOptions } from "../lib/audio/mel.js";
import { melPresets } from "../lib/audio/mel-presets.js";
import type { MelPresetName } from "../lib/audio/mel-presets.js";
import { callSync } from "../lib/runtime/native.js";
import { Tensor } from "../lib/tensor/tensor.js";
import { assertClose, openGolden } from "./helpers/golden.js";
import { measureSlopes } from "./helpers/gradient.js";
import { noise, noises } from "./helpers/noise.js";
import { declareLifetimeTest } from "./helpers/tensor-ops.js";

declareLifetimeTest();

const power = { preset: "cnn14-16k", fMin: 0 } as const;

/** Samples and settings of the goldens of test/reference/spectra.py. */
const cases: Readonly<Record<string, readonly [number, MelOptions]>> = {
  clap: [24000, { preset: "clap" }],
  torchlibrosa: [24000, { preset: "clap" }],
  "clap-fused": [24000, { preset: "clap-fused" }],
  "cnn14-16k": [8000, { preset: "cnn14-16k" }],
  "cnn14-32k": [16000, { preset: "cnn14-32k" }],
  vggish: [8000, { preset: "vggish" }],
  "win-1536": [20001, { preset: "clap", fftSize: 1536 }],
  many: [
    9000,
    {
      ...power,
      sampleRate: 22050,
      fftSize: 2000,
      hopSamples: 441,
      melBins: 229,
      fMin: 30,
      fMax: 11025,
    },
  ],
  "short-window": [8000, { ...power, fftSize: 480, windowSamples: 400 }],
  "area-htk": [8001, { ...power, fftSize: 600, hopSamples: 150, scale: "htk" }],
  "factor-7": [8000, { ...power, fftSize: 448, melBins: 40 }],
  amplitude: [6000, { ...power, hopSamples: 128, melBins: 32, power: 1, floor: 1e-5 }],
};

/** Run with every kind of vector that the processor has. */
async function withEveryCapability(run: (name: string) => Promise<void>): Promise<void> {
  const names = callSync<string[]>("kernels.capabilities", []);
  try {
    for (const name of names) {
      callSync("kernels.select_capability", [name]);
      await run(name);
    }
  } finally {
    callSync("kernels.select_capability", [names[0]]);
  }
}

/** The same through operators that record gradients. */
async function byOperators(wave: Tensor, options: MelOptions): Promise<Tensor> {
  using leaf = await wave.clone();
  await leaf.requiresGrad();
  using mel = await melSpectrogram(leaf, options);
  return await mel.detach();
}

for (const [name, [samples, options]] of Object.entries(cases)) {
  test.serial(`mel spectrograms equal the reference: ${name}`, async (t) => {
    using golden = await openGolden("spectra");
    using wanted = await golden.get(`output.mel.${name}`).unsqueeze(0);
    using wave = await noises(1, samples);
    await withEveryCapability(async (capability) => {
      using mel = await melSpectrogram(wave, options);
      await assertClose(t, [mel, wanted], 1e-6, capability);
    });
    using plain = await byOperators(wave, options);
    await assertClose(t, [plain, wanted], 1e-6, "operators");
    using exact = await byOperators(wave, { ...options, precision: "float64" });
    await assertClose(t, [exact, wanted], 1e-6, "operators in float64");
    await withEveryCapability(async (capability) => {
      using mel = await melSpectrogram(wave, { ...options, precision: "float64" });
      await assertClose(t, [mel, exact], 2e-7, `${capability} in float64`);
    });
  });
}

test.serial("filters equal transformers' and librosa's", async (t) => {
  using golden = await openGolden("spectra");
  using noisy = await Tensor.from(noise(513, 3), [513, 1]);
  for (const [preset, scale] of [
    ["clap", "slaney"],
    ["clap-fused", "htk"],
  ] as const) {
    using bank = await melFilterBank({ preset });
    using sums = await bank.sum([1]);
    using products = await bank.matmul(noisy);
    using flat = await products.squeeze(1);
    using both = await Tensor.stack([sums, flat]);
    await assertClose(t, [both, golden.get(`output.bank.${scale}`)], 1e-6, preset);
  }
});

/** Sums of whole banks: reference/evaluation.md and reference/musicldm.md. */
const bankSums: readonly (readonly [MelPresetName, number, number])[] = [
  ["musicldm", 4.09588, 1e-5],
  ["vggish", 230.91359916, 1e-4],
  ["cnn14-16k", 2.0493479, 1e-6],
  ["cnn14-32k", 2.0481262, 1e-6],
];

test.serial("filter banks have the published sums", async (t) => {
  for (const [preset, wanted, limit] of bankSums) {
    using bank = await melFilterBank({ preset });
    using sum = await bank.sum();
    t.true(Math.abs((await sum.item()) - wanted) < limit, preset);
  }
});

test.serial("a sine of 440 Hz gives the published VGGish and CNN14 values", async (t) => {
  const samples = Float32Array.from(
    { length: 16000 },
    (_, n) => 0.5 * Math.sin((2 * Math.PI * 440 * n) / 16000),
  );
  using wave = await Tensor.from(samples, [1, samples.length]);
  using vggish = await melSpectrogram(wave, { preset: "vggish" });
  t.deepEqual(vggish.shape, [1, 98, 64]);
  const first = await vggish.floats();
  const near = (value: number | undefined, wanted: number, limit: number) =>
    t.true(Math.abs((value ?? NaN) - wanted) < limit, `${value} and not ${wanted}`);
  // Beside a peak of e^4 float32 transforms leave 1e-7 of it, which counts where bands are low.
  near(first[0], -3.73630668, 1e-4);
  near(first[1], -2.74374243, 1e-4);
  near(first[2], -2.20470918, 1e-4);
  near(Math.max(...first), 4.0891746752, 1e-5);
  near(
    first.reduce((sum, value) => sum + value, 0),
    -21963.44875,
    0.05,
  );
  using cnn14 = await melSpectrogram(wave, { preset: "cnn14-16k" });
  t.deepEqual(cnn14.shape, [1, 101, 64]);
  const row = (await cnn14.floats()).subarray(50 * 64, 51 * 64);
  near(Math.max(...row), 18.2558, 1e-3);
  t.is(row.indexOf(Math.max(...row)), 8);
  near(row[2], -54.71926, 1e-3);
});

test.serial("silence is -100 dB, and the logarithm of the offset", async (t) => {
  using wave = await Tensor.zeros([1, 48000]);
  for (const preset of ["clap", "clap-fused", "cnn14-16k", "cnn14-32k"] as const) {
    using mel = await melSpectrogram(wave, { preset });
    t.true((await mel.floats()).every((value) => value === -100));
  }
  using vggish = await melSpectrogram(wave, { preset: "vggish" });
  t.true((await vggish.floats()).every((value) => value === Math.fround(Math.log(0.01))));
});

test.serial("items, odd lengths and views stay apart", async (t) => {
  using batch = await noises(3, 24001);
  using together = await melSpectrogram(batch, { preset: "clap" });
  t.deepEqual(together.shape, [3, 51, 64]);
  for (let i = 0; i < 3; i++) {
    using wave = await batch.slice(0, i, i + 1);
    using mel = await together.slice(0, i, i + 1);
    using alone = await melSpectrogram(wave, { preset: "clap" });
    t.deepEqual(await alone.floats(), await mel.floats());
  }
  using columns = await batch.transpose(0, 1);
  using held = await columns.contiguous();
  using view = await held.transpose(0, 1);
  using seen = await melSpectrogram(view, { preset: "clap" });
  t.deepEqual(await seen.floats(), await together.floats());
});

test.serial("every count of frames around a vector's lanes is right", async (t) => {
  const options = { ...power, fftSize: 32, hopSamples: 7, melBins: 5, fMax: 8000 };
  for (let samples = 17; samples < 260; samples += 9) {
    using wave = await noises(2, samples);
    using fast = await melSpectrogram(wave, options);
    using plain = await byOperators(wave, options);
    t.is(fast.shape[1], 1 + Math.floor(samples / 7));
    t.true(await fast.allClose(plain, { relative: 1e-5, absolute: 1e-4 }));
  }
});

test.serial("uncompressed powers and settings without filters' gaps agree", async (t) => {
  using wave = await noises(2, 3000);
  for (const options of [
    { compression: "none", floor: 0 },
    { compression: "none", floor: 0.5, offset: 1 },
    { compression: "log10", epsilon: 0.01 },
    { compression: "ln", power: 1, epsilon: 1e-9, window: "blackman", padMode: "constant" },
    { compression: "ln", fftSize: 320, windowSamples: 250, alignment: "start" },
    { compression: "dB", fftSize: 4, hopSamples: 1, melBins: 2 },
  ] as const satisfies readonly MelOptions[]) {
    using fast = await melSpectrogram(wave, { ...power, ...options });
    using plain = await byOperators(wave, { ...power, ...options });
    await assertClose(t, [fast, plain], 1e-6, JSON.stringify(options));
  }
});

test.serial("NaN and infinity reach their frames and no others", async (t) => {
  for (const bad of [NaN, Infinity]) {
    const samples = noise(48000);
    samples[24000] = bad;
    using wave = await Tensor.from(samples, [1, samples.length]);
    using mel = await melSpectrogram(wave, { preset: "clap" });
    const values = await mel.floats();
    const frames = [...Array(101).keys()].filter((frame) =>
      values.subarray(frame * 64, frame * 64 + 64).some((value) => !Number.isFinite(value)),
    );
    t.deepEqual(frames, [49, 50, 51]);
  }
});

for (const preset of Object.keys(melPresets) as MelPresetName[]) {
  test.serial(`gradients are those of finite differences: ${preset}`, async (t) => {
    using wave = await noises(2, 4000);
    using loud = await wave.mul(0.5);
    const loss = async (x: Tensor): Promise<Tensor> => {
      using mel = await melSpectrogram(x, { preset });
      return await mel.mean();
    };
    const { backward, difference } = await measureSlopes(loud, loss, 2e-4);
    t.log(`${backward} ${difference}`);
    // Central differences of float32 means: rounding at one end, curvature at the other.
    t.true(Math.abs(backward / difference - 1) < 2e-2);
  });
}

test.serial("logMel is the preset of its style", async (t) => {
  using wave = await noises(1, 8000);
  for (const [padding, preset] of [
    ["tacotron", "musicldm"],
    ["audioldm", "audioldm"],
    ["hifigan", "hifigan"],
  ] as const) {
    using ours = await logMel(wave, { padding });
    using same = await melSpectrogram(wave, { preset });
    t.deepEqual(await ours.floats(), await same.floats());
  }
});

test.serial("invalid waves and settings are refused", async (t) => {
  using wave = await Tensor.zeros([1, 4000]);
  using flat = await Tensor.zeros([4000]);
  using half = await wave.to("bfloat16");
  const refuses = (options: MelOptions, code: string, given = wave) =>
    t.throwsAsync(() => melSpectrogram(given, options), { code });
  await refuses({}, "E_SHAPE", flat);
  await refuses({}, "E_DTYPE", half);
  await refuses({ fftSize: 16384 }, "E_SHAPE");
  await refuses({ preset: "other" as MelPresetName }, "E_ARGUMENT");
  await refuses({ melBins: 0 }, "E_ARGUMENT");
  await refuses({ melBins: 2 ** 20 }, "E_ARGUMENT");
  await refuses({ sampleRate: NaN }, "E_ARGUMENT");
  await refuses({ fMin: 8000 }, "E_ARGUMENT");
  await refuses({ fMin: -1 }, "E_ARGUMENT");
  await refuses({ power: 3 as 2 }, "E_ARGUMENT");
  await refuses({ floor: 0 }, "E_ARGUMENT");
  await refuses({ epsilon: Infinity }, "E_ARGUMENT");
  await refuses({ scale: "mel" as "htk" }, "E_ARGUMENT");
  await t.throwsAsync(() => melFilterBank({ fMax: 9000 }), { code: "E_ARGUMENT" });
  await refuses({ signal: AbortSignal.abort() }, "E_ABORTED");
});
