import test from "ava";
import type { MusicLDM } from "../lib/musicldm/musicldm.js";
import type { EditOptions, SourceAudio } from "../lib/musicldm/types.js";
import { distance, openDebug } from "./helpers/model.js";
import { declareLifetimeTest } from "./helpers/tensor-ops.js";

declareLifetimeTest();

/** A tone that changes, with a beat. */
function tone(seconds: number, sampleRate = 16_000): SourceAudio {
  const samples = Float32Array.from({ length: Math.round(seconds * sampleRate) }, (_, i) => {
    const time = i / sampleRate;
    return 0.5 * Math.sin(2 * Math.PI * (220 + 300 * time) * time) * Math.cos(20 * time);
  });
  return { samples, sampleRate };
}

const call = { prompt: "a", steps: 4, seed: 1 } as const;

/** Latents of an edit, and the source's: `[C][T][F]` flattened, and T. */
async function latentsOf(model: MusicLDM, options: Omit<EditOptions, "prompt">) {
  const result = await model.edit({ ...call, ...options, output: "latent" });
  using edited = result.latents!;
  const length = options.seconds === undefined ? {} : { seconds: options.seconds };
  using source = await model.encodeAudio(options.audio, length);
  const [frames, bins] = [edited.shape[2]!, edited.shape[3]!];
  return { edited: await edited.floats(), source: await source.floats(), frames, bins };
}

/** Latent frames in which an edit differs from its source by a single bit. */
async function changedFrames(model: MusicLDM, options: Omit<EditOptions, "prompt">) {
  const { edited, source, frames, bins } = await latentsOf(model, options);
  const changed = new Set<number>();
  edited.forEach((value, i) => {
    if (!Object.is(value, source[i])) changed.add(Math.floor(i / bins) % frames);
  });
  return { frames, changed: [...changed].sort((a, b) => a - b) };
}

test.serial("the less strength, the nearer the source", async (t) => {
  using model = await openDebug();
  const distances: number[] = [];
  for (const strength of [0.05, 0.2, 0.4, 0.7, 1]) {
    const { edited, source } = await latentsOf(model, { audio: tone(0.4), strength, steps: 20 });
    distances.push(distance(edited, source));
  }
  t.log(distances.map((value) => value.toFixed(3)).join(" "));
  t.deepEqual(
    distances,
    [...distances].sort((a, b) => a - b),
  );
  t.true(distances[0]! > 0 && distances.at(-1)! > 2 * distances[0]!);
});

test.serial("strength decides how many steps run", async (t) => {
  using model = await openDebug();
  const stepsAt = async (strength: number) => {
    let steps = 0;
    const onProgress = (event: { stage: string }) => (steps += Number(event.stage === "denoise"));
    const options = { ...call, steps: 10, audio: tone(0.2), strength };
    await model.edit({ ...options, output: "mel", onProgress }).then(({ mel }) => mel?.dispose());
    return steps;
  };
  t.deepEqual(
    [await stepsAt(1e-9), await stepsAt(0.1), await stepsAt(0.55), await stepsAt(1)],
    [1, 1, 5, 10],
  );
});

test.serial("at full strength the source is nearly forgotten", async (t) => {
  using model = await openDebug();
  const options = { audio: tone(0.4), strength: 1, scheduler: "ddim" } as const;
  const { edited } = await latentsOf(model, options);
  const generated = await model.generate({
    ...call,
    scheduler: "ddim",
    seconds: 0.4,
    output: "latent",
  });
  using latents = generated.latents!;
  const norm = distance(edited, await latents.floats());
  t.log(norm.toFixed(3));
  t.true(norm < 0.5);
});

test.serial("outside the mask the latents are the source's, bit for bit", async (t) => {
  using model = await openDebug();
  const audio = tone(0.8);
  const span = (startSeconds: number, endSeconds: number) => ({ startSeconds, endSeconds });
  const changed = async (...mask: ReturnType<typeof span>[]) => {
    const result = await changedFrames(model, { audio, mask });
    t.is(result.frames, 20);
    return result.changed;
  };
  t.deepEqual(await changed(span(0.2, 0.4)), [5, 6, 7, 8, 9]);
  t.deepEqual(await changed(span(0.28, 0.56)), [7, 8, 9, 10, 11, 12, 13]);
  t.deepEqual(await changed(span(0.21, 0.22)), [5]);
  t.deepEqual(await changed(span(0, 0.05), span(0.7, 0.8)), [0, 1, 17, 18, 19]);
  t.deepEqual(await changed(span(0.1, 0.3), span(0.2, 0.32)), [2, 3, 4, 5, 6, 7]);
  t.deepEqual(await changed(span(0.7, 1000)), [17, 18, 19]);
});

test.serial("so they are with solvers that draw noise, and in batches", async (t) => {
  using model = await openDebug();
  const mask = [{ startSeconds: 0.2, endSeconds: 0.4 }];
  for (const scheduler of ["euler-ancestral", "dpmsolver++-sde", "heun"] as const) {
    const { changed } = await changedFrames(model, { audio: tone(0.8), mask, scheduler });
    t.deepEqual(changed, [5, 6, 7, 8, 9], scheduler);
  }
  const options = { ...call, audio: tone(0.8), mask, count: 2, seed: [4, 9] };
  const pair = await model.edit({ ...options, batchSize: 1 });
  const alone = await model.edit({ ...options, count: 1, seed: 9 });
  t.deepEqual(pair.seeds, [4, 9]);
  t.deepEqual(pair.waveforms[1], alone.waveforms[0]);
  t.notDeepEqual(pair.waveforms[0], pair.waveforms[1]);
  const together = await model.edit({ ...options, batchSize: 2 });
  const norm = distance(together.waveforms[1]!, alone.waveforms[0]!);
  t.log(norm.toExponential(1));
  t.true(norm <= 1e-4);
});

test.serial("a clip goes on beyond its end", async (t) => {
  using model = await openDebug();
  const { frames, changed } = await changedFrames(model, { audio: tone(0.4), seconds: 0.8 });
  t.deepEqual([frames, changed], [20, [10, 11, 12, 13, 14, 15, 16, 17, 18, 19]]);
  const { waveforms, settings } = await model.edit({ ...call, audio: tone(0.4), seconds: 0.71 });
  t.is(waveforms[0]?.length, 11_360);
  t.is(settings.seconds, 0.71);
  const mask = [{ startSeconds: 0, endSeconds: 0.04 }];
  const both = await changedFrames(model, { audio: tone(0.4), seconds: 0.48, mask });
  t.deepEqual(both.changed, [0, 10, 11]);
  const shorter = await changedFrames(model, { audio: tone(0.8), seconds: 0.4, mask });
  t.deepEqual([shorter.frames, shorter.changed], [10, [0]]);
});

test.serial("sources of other rates keep their seconds", async (t) => {
  using model = await openDebug();
  for (const [sampleRate, seconds] of [
    [44_100, 0.3],
    [48_000, 0.123],
    [8000, 0.25],
    [11_025, 0.2],
  ] as const) {
    const audio = tone(seconds, sampleRate);
    const { waveforms } = await model.edit({ ...call, audio, strength: 0.5 });
    const wanted = Math.floor((audio.samples.length / sampleRate) * 16_000 + 1e-6);
    t.is(waveforms[0]?.length, wanted, String(sampleRate));
  }
  using native = await model.encodeAudio(tone(0.4));
  using resampled = await model.encodeAudio(tone(0.4, 48_000));
  const norm = distance(await resampled.floats(), await native.floats());
  t.log(`latents at 48 kHz ${norm.toFixed(3)}`);
  t.true(norm < 0.3);
});

test.serial("silence can be edited", async (t) => {
  using model = await openDebug();
  const audio = { samples: new Float32Array(4800), sampleRate: 16_000 };
  const { waveforms } = await model.edit({ ...call, audio, strength: 0.5 });
  t.true(waveforms[0]?.every(Number.isFinite));
});

test.serial("invalid input", async (t) => {
  using model = await openDebug();
  const audio = tone(0.4);
  const bad = async (options: object, message: RegExp, code = "E_ARGUMENT") =>
    t.throwsAsync(model.edit({ ...call, audio, ...options }), { code, message });
  const span = (startSeconds: number, endSeconds: number) => ({
    mask: [{ startSeconds, endSeconds }],
  });
  await bad({}, /strength, mask or seconds for edit/);
  await bad({ strength: 0.5, ...span(0, 0.1) }, /for edit but received "both"/);
  await bad({ strength: 0.5, seconds: 1 }, /for edit but received "both"/);
  for (const strength of [0, -1, 1.1, NaN, "1"]) await bad({ strength }, /for strength/);
  await bad({ mask: [] }, /for mask/);
  await bad({ mask: [{}] }, /for mask\.0/);
  await bad({ mask: {} }, /for mask/);
  await bad(span(0.2, 0.2), /for mask/);
  await bad(span(0.3, 0.2), /for mask/);
  await bad(span(0.4, 0.5), /inside 0\.\.0\.4 s for mask/);
  await bad(span(-0.1, 0.2), /mask\.0\.startSeconds/);
  await bad(span(0.1, NaN), /mask\.0\.endSeconds/);
  await bad({ seconds: 0.4 }, /something to generate for mask/);
  await bad({ seconds: 0.3 }, /something to generate for mask/);
  await bad({ seconds: 0.05 }, /for seconds/);
  await bad({ seconds: 1e9 }, /for seconds/, "E_OUT_OF_MEMORY");
  await bad({ strength: 1, latents: 1 }, /latents/);
  await bad({ strength: 1, prompt: undefined }, /prompt and promptEmbeds/);
});

test.serial("invalid audio", async (t) => {
  using model = await openDebug();
  const bad = async (audio: unknown, message: RegExp, code = "E_ARGUMENT") => {
    const source = audio as SourceAudio;
    await t.throwsAsync(model.edit({ ...call, audio: source, strength: 1 }), { code, message });
    await t.throwsAsync(model.encodeAudio(source), { code, message });
  };
  const sampleRate = 16_000;
  await bad({ samples: new Float32Array(), sampleRate }, /for audio/);
  await bad({ samples: new Float32Array(1000), sampleRate }, /at least 0\.1 s.* for audio/);
  for (const value of [NaN, Infinity, -Infinity]) {
    const samples = new Float32Array(3200).fill(value, 7, 8);
    await bad({ samples, sampleRate }, /for audio/, "E_NONFINITE");
  }
  await bad({ samples: [0, 1], sampleRate }, /Float32Array for audio\.samples/);
  await bad({ samples: new Float64Array(3200), sampleRate }, /Float32Array for audio\.samples/);
  const samples = new Float32Array(3200);
  for (const rate of [0, -1, 1.5, NaN, "16000", 1e7, undefined]) {
    await bad({ samples, sampleRate: rate }, /audio\.sampleRate/);
  }
  for (const audio of [undefined, null, samples]) await bad(audio, /for audio/);
});
