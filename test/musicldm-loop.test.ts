import test from "ava";
import type { MusicLDM } from "../lib/musicldm/musicldm.js";
import { Tensor } from "../lib/tensor/tensor.js";
import { distance, openDebug } from "./helpers/model.js";
import { declareLifetimeTest } from "./helpers/tensor-ops.js";

declareLifetimeTest();

const frames = 16;
/** Samples of a latent frame: 4 mel frames of 160 samples. */
const unit = 640;
/** Three halvings of the UNet: it commutes with rotations by multiples of 8 latent frames. */
const period = 8;

test.serial("a loop has exactly the samples that its seconds ask for", async (t) => {
  using model = await openDebug();
  for (const seconds of [0.12, 0.32, 0.64, 1]) {
    const { waveforms, settings } = await model.generate({
      prompt: "a",
      seconds,
      steps: 1,
      loop: true,
    });
    t.is(waveforms[0]?.length, Math.round(seconds * 16_000), String(seconds));
    t.true(settings.loop);
  }
});

async function waveformOf(model: MusicLDM, latents: Tensor, loop: boolean, scheduler = "unipc") {
  const call = { prompt: "a", steps: 3, latents, loop, scheduler: scheduler as "unipc" };
  return (await model.generate(call)).waveforms[0]!;
}

function rotated(samples: Float32Array, by: number): Float32Array {
  return Float32Array.from(samples, (_, i) => samples.at((i - by) % samples.length)!);
}

/** How far the waveform of rotated latents is from the rotated waveform. */
async function rotationError(model: MusicLDM, by: number, loop: boolean, scheduler?: string) {
  using latents = await Tensor.randn([1, 8, frames, 16], { seed: 1 });
  using turned = await latents.roll([by], [2]);
  const plain = await waveformOf(model, latents, loop, scheduler);
  const after = await waveformOf(model, turned, loop, scheduler);
  return { error: distance(after, rotated(plain, by * unit)), other: distance(after, plain) };
}

test.serial("rotating the latents rotates the waveform", async (t) => {
  using model = await openDebug();
  for (const scheduler of ["unipc", "ddim", "heun"]) {
    const { error, other } = await rotationError(model, period, true, scheduler);
    t.log(`${scheduler}: ${error.toExponential(1)} of 1e-4; unrotated ${other.toFixed(2)}`);
    t.true(error <= 1e-4);
    t.true(other > 0.1, "the rotation is heard");
  }
});

test.serial("without loop it does not", async (t) => {
  using model = await openDebug();
  const { error } = await rotationError(model, period, false);
  t.log(error.toExponential(1));
  t.true(error > 1e-2);
});

test.serial("the end joins the start", async (t) => {
  using model = await openDebug();
  using latents = await Tensor.randn([1, 8, frames, 16], { seed: 1 });
  const closed = await waveformOf(model, latents, true);
  const open = await waveformOf(model, latents, false);
  /** The step over the seam, as a multiple of the root mean square of all steps. */
  const seam = (samples: Float32Array) => {
    const steps = samples.map((value, i) => value - samples.at(i - 1)!);
    const total = steps.reduce((sum, step) => sum + step * step, 0);
    return Math.abs(steps[0]!) / Math.sqrt(total / steps.length);
  };
  t.log(`seam ${seam(closed).toFixed(2)}, without loop ${seam(open).toFixed(2)}`);
  t.true(seam(closed) < 4);
  t.true(distance(closed, open) > 1e-2);
});

test.serial("invalid input names the lengths that are possible", async (t) => {
  using model = await openDebug();
  const refused = async (seconds: number) => {
    const call = model.generate({ prompt: "a", seconds, steps: 1, loop: true });
    return (await t.throwsAsync(call, { code: "E_ARGUMENT" }))?.message ?? "";
  };
  t.regex(await refused(0.5), /multiple of 0\.04 \(such as 0\.48 or 0\.52\) for seconds of a loop/);
  t.regex(await refused(0.1), /\(such as 0\.12\)/);
  t.regex(await refused(1.001), /1 or 1\.04/);
  t.regex(await refused(0.04), /at least 0\.1 for seconds/);
});
