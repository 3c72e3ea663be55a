import test from "ava";
import { loadAudio } from "../lib/audio/load.js";
import { resample, resampleSamples } from "../lib/audio/transform.js";
import { memory } from "../lib/runtime/native.js";
import { Tensor } from "../lib/tensor/tensor.js";
import { largestDifference, mono, noise } from "./helpers/audio.js";

test.before((t) => {
  t.context = memory().handles;
});

const ratios: readonly (readonly [number, number])[] = [
  [48000, 16000],
  [44100, 16000],
  [44100, 48000],
  [48000, 44100],
  [16000, 48000],
  [22050, 16000],
  [8000, 11025],
  [44101, 16000],
  [16000, 44101],
];

const high = { quality: "high" } as const;

function sine(hertz: number, rate: number, length: number): Float32Array {
  return Float32Array.from({ length }, (_, i) => Math.sin((2 * Math.PI * hertz * i) / rate));
}

/** Root mean square without the ends, which a long filter mixes with silence. */
function middleLevel(samples: Float32Array): number {
  const edge = samples.length >> 2;
  const middle = samples.subarray(edge, samples.length - edge);
  return Math.sqrt(middle.reduce((sum, value) => sum + value * value, 0) / middle.length);
}

const decibels = (ratio: number): number => 20 * Math.log10(ratio);

test.serial("aliases stay below -115 dB", async (t) => {
  for (const [from, to] of ratios.filter(([from, to]) => to < from)) {
    let worst = -Infinity;
    for (let i = 0; i <= 12; i++) {
      const hertz = to / 2 + ((from / 2 - to / 2) * (i + 0.02)) / 12.1;
      const output = await resampleSamples(sine(hertz, from, from / 2), from, to, high);
      worst = Math.max(worst, decibels(middleLevel(output) * Math.SQRT2));
    }
    t.log(`${from} to ${to}: ${worst.toFixed(1)} dB`);
    t.true(worst < -115);
  }
});

test.serial("a sweep above the new Nyquist frequency leaves less than -115 dB", async (t) => {
  const rate = 48000;
  const length = 2 * rate;
  const sweep = Float32Array.from({ length }, (_, i) => {
    const seconds = i / rate;
    return Math.sin(2 * Math.PI * (8010 * seconds + (15900 / 2 / 2) * seconds * seconds));
  });
  const output = mono(await loadAudio(sweep, { inputSampleRate: rate, sampleRate: 16000 }));
  const inside = output.subarray(200, output.length - 200);
  const peak = inside.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  t.log(`peak ${decibels(peak).toFixed(1)} dB`);
  t.true(decibels(peak) < -115);
});

test.serial("the passband is flat to 0.95 of the lower Nyquist frequency", async (t) => {
  for (const [from, to] of ratios) {
    let ripple = 0;
    for (let i = 1; i <= 12; i++) {
      const hertz = (0.95 * (Math.min(from, to) / 2) * i) / 12;
      const output = await resampleSamples(sine(hertz, from, from / 2), from, to, high);
      const wanted = sine(hertz, to, output.length);
      const edge = output.length >> 2;
      const part = (x: Float32Array) => x.subarray(edge, x.length - edge);
      const error = largestDifference(part(output), part(wanted));
      ripple = Math.max(ripple, error);
    }
    t.log(`${from} to ${to}: ${ripple.toExponential(1)} of full scale`);
    t.true(ripple < 1e-5);
  }
});

test.serial("a part equals that part of the whole", async (t) => {
  const samples = noise(60000);
  for (const [inputSampleRate, sampleRate] of ratios) {
    const whole = mono(await loadAudio(samples, { inputSampleRate, sampleRate }));
    t.is(whole.length, Math.ceil((samples.length * sampleRate) / inputSampleRate));
    const direct = await resampleSamples(samples, inputSampleRate, sampleRate, high);
    t.true(largestDifference(whole, direct) < 1e-6);
    const options = { inputSampleRate, sampleRate, startSeconds: 0.7001, seconds: 0.2503 };
    const part = mono(await loadAudio(samples, options));
    const start = Math.round(0.7001 * sampleRate);
    const wanted = whole.subarray(start, start + Math.round(0.2503 * sampleRate));
    t.true(largestDifference(part, wanted) < 1e-6, `${inputSampleRate} to ${sampleRate}`);
  }
});

test.serial("high quality keeps batches, dtypes and gradients", async (t) => {
  using batch = await Tensor.from(noise(2000), [2, 1000]);
  await batch.requiresGrad();
  using output = await resample(batch, 44100, 16000, high);
  t.deepEqual(output.shape, [2, 363]);
  const alone = await resampleSamples(noise(2000).subarray(1000), 44100, 16000, high);
  t.true(largestDifference((await output.floats()).slice(363), alone) < 1e-6);
  using total = await output.sum();
  await total.backward();
  using gradient = await batch.grad();
  const middle = (await gradient?.floats())?.slice(450, 550) ?? [];
  t.true(middle.every((value) => Math.abs(value - 16000 / 44100) < 1e-4));
});

test.serial("invalid qualities and rates are refused", async (t) => {
  using wave = await Tensor.zeros([1, 400]);
  const refuses = (run: () => Promise<unknown>, code: string) => t.throwsAsync(run, { code });
  await refuses(() => resample(wave, 8000, 16000, { quality: "best" as "high" }), "E_ARGUMENT");
  await refuses(() => resample(wave, 0, 16000, high), "E_ARGUMENT");
  await refuses(() => resample(wave, 8000, 20_000_000, high), "E_ARGUMENT");
  await refuses(() => loadAudio(noise(10), { sampleRate: 1.5 }), "E_ARGUMENT");
  const signal = AbortSignal.abort();
  await refuses(() => resample(wave, 8000, 16000, { ...high, signal }), "E_ABORTED");
});

test.serial("every handle is given back", (t) => {
  t.is(memory().handles, t.context as number);
});
