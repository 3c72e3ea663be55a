import test from "ava";
import { logMel, melFilterBank } from "../lib/audio/mel.js";
import type { MelStyle } from "../lib/audio/mel.js";
import { resample, resampleSamples } from "../lib/audio/transform.js";
import { memory } from "../lib/runtime/native.js";
import { Tensor } from "../lib/tensor/tensor.js";
import { assertClose, openGolden } from "./helpers/golden.js";

test.before((t) => {
  t.context = memory().handles;
});

test.serial("resample equals torchaudio's definition at every ratio", async (t) => {
  using golden = await openGolden("resample");
  for (const name of Object.keys(golden.under("input."))) {
    const [from = 0, to = 0] = name.split("-").map(Number);
    using output = await resample(golden.get(`input.${name}`), from, to);
    await assertClose(t, [output, golden.get(`output.${name}`)], 1e-6, name);
  }
});

test.serial("resample keeps batches apart, equal rates and gradients", async (t) => {
  const samples = Float32Array.from({ length: 2000 }, (_, i) => Math.sin(i * i * 1e-3));
  using batch = await Tensor.from(samples, [2, 1000]);
  using together = await resample(batch, 44100, 16000);
  const alone = await resampleSamples(samples.subarray(1000), 44100, 16000);
  const both = await together.floats();
  t.deepEqual(both.slice(both.length / 2), alone);
  t.is(await resampleSamples(samples, 16000, 16000), samples);
  using sine = await Tensor.from(Float32Array.from({ length: 4410 }, () => 1));
  using constant = await resample(sine, 44100, 16000);
  const middle = (await constant.floats()).slice(100, 1500);
  t.true(middle.every((value) => Math.abs(value - 1) < 2e-3));
});

test.serial("the filter bank equals librosa's", async (t) => {
  using golden = await openGolden("mel-front-end");
  using bank = await melFilterBank();
  await assertClose(t, [bank, golden.get("output.filter_bank")], 1e-6, "filter bank");
});

test.serial("log-mels equal the float64 reference in every style", async (t) => {
  using golden = await openGolden("mel-front-end");
  for (const padding of ["tacotron", "audioldm", "hifigan"] as const) {
    for (const wave of ["noise", "sine", "sweep"]) {
      using mel = await logMel(golden.get(`input.wave.${wave}`), { padding });
      const wanted = golden.get(`output.log_mel.${padding}.${wave}`);
      // Between a pure tone's harmonics float32 transforms leave 1e-7 of its peak, and the
      // logarithm makes that as loud as the tone.
      const limit = wave === "noise" ? 1e-6 : 1e-4;
      await assertClose(t, [mel, wanted], limit, `${padding} of ${wave}`);
    }
  }
});

/** Frame 500, bins 0, 8, 9, 10, 11, 12 and 63 of a sine of 440 Hz and amplitude 0.5. */
const sineFrame: Readonly<Record<"tacotron" | "audioldm", readonly number[]>> = {
  tacotron: [-10.18268, 1.08576, 0.97987, -3.5017, -5.60209, -6.70914, -11.51293],
  audioldm: [-9.058, 1.08576, 0.97987, -3.50204, -5.60447, -6.71542, -11.51293],
};

test.serial("a sine gives the published log-mel values", async (t) => {
  const samples = Float32Array.from({ length: 163840 }, (_, n) => {
    return 0.5 * Math.sin((2 * Math.PI * 440 * n) / 16000);
  });
  using wave = await Tensor.from(samples, [1, samples.length]);
  for (const padding of ["tacotron", "audioldm"] as const) {
    using mel = await logMel(wave, { padding });
    t.deepEqual(mel.shape, [1, padding === "tacotron" ? 1025 : 1024, 64]);
    const values = await mel.floats();
    const bins = [0, 8, 9, 10, 11, 12, 63].map((bin) => values[500 * 64 + bin] ?? NaN);
    const wanted = sineFrame[padding];
    const worst = Math.max(...bins.map((value, i) => Math.abs(value - (wanted[i] ?? NaN))));
    t.log(`${padding}: ${worst}`);
    // The first bin is e^-11 of the loudest one: float32 transforms differ there.
    t.true(worst < 2e-3, `${padding}: ${bins.join(" ")}`);
  }
});

test.serial("invalid waves and settings are refused", async (t) => {
  using wave = await Tensor.zeros([1, 4000]);
  using short = await Tensor.zeros([1, 512]);
  using flat = await Tensor.zeros([4000]);
  using integers = await Tensor.zeros([1, 4000], { dtype: "int64" });
  using empty = await Tensor.zeros([1, 0]);
  const refuses = (run: () => Promise<unknown>, code: string) => t.throwsAsync(run, { code });
  await refuses(() => logMel(short), "E_SHAPE");
  await refuses(() => logMel(flat), "E_SHAPE");
  await refuses(() => logMel(wave, { fMax: 9000 }), "E_ARGUMENT");
  await refuses(() => logMel(wave, { hopSamples: 0 }), "E_ARGUMENT");
  await refuses(() => logMel(wave, { padding: "other" as MelStyle }), "E_ARGUMENT");
  await refuses(() => resample(wave, 0, 16000), "E_ARGUMENT");
  await refuses(() => resample(wave, 16000, 1.5), "E_ARGUMENT");
  await refuses(() => resample(integers, 8000, 16000), "E_SHAPE");
  await refuses(() => resample(empty, 8000, 16000), "E_SHAPE");
  const signal = AbortSignal.abort();
  await refuses(() => resample(wave, 8000, 16000, { signal }), "E_ABORTED");
});

test.serial("every handle is given back", (t) => {
  t.is(memory().handles, t.context as number);
});
