import { createReadStream } from "node:fs";
import { pathToFileURL } from "node:url";
import { readFile } from "node:fs/promises";
import test from "ava";
import { writeAudio } from "../lib/audio/index.js";
import type { AudioInput } from "../lib/audio/index.js";
import { Clap } from "../lib/clap/clap.js";
import type { EmbedAudioOptions } from "../lib/clap/types.js";
import { memory } from "../lib/runtime/native.js";
import { freshPath, furthest, makeClap, sine, withSettings } from "./helpers/clap.js";
import { debugFolder } from "./helpers/model.js";
import { goldenWave } from "./helpers/waveform.js";

const start = memory();
const debug = await makeClap("debug");
const fused = await makeClap("debug-fused");

test.after.always("lifetime: no handle is left", (t) => {
  t.deepEqual(memory(), start);
});

function norm(row: Float32Array): number {
  return Math.hypot(...row);
}

test.serial("100 repeats are bit-identical", async (t) => {
  using clap = await Clap.fromPretrained(debug);
  const wave = goldenWave(1);
  const [first] = await clap.embedAudio([wave]);
  t.is(first?.length, clap.embeddingSize);
  for (let i = 1; i < 100; i += 1) {
    const [again] = await clap.embedAudio([wave]);
    t.deepEqual(again, first, `repeat ${i}`);
  }
  const long = goldenWave(12);
  t.deepEqual(await clap.embedAudio([long]), await clap.embedAudio([long]));
});

test.serial("a batch equals its items alone, for sounds and texts", async (t) => {
  for (const folder of [debug, fused]) {
    using clap = await Clap.fromPretrained(folder);
    const waves = [0.3, 12, 1, 10, 21, 0.05].map(goldenWave);
    const together = await clap.embedAudio(waves, { batchSize: 5 });
    for (const [i, wave] of waves.entries()) {
      const [alone] = await clap.embedAudio([wave], { batchSize: 1 });
      t.true(furthest(alone!, together[i]!) <= 1e-6, `${i}: ${furthest(alone!, together[i]!)}`);
      t.true(Math.abs(norm(alone!) - 1) < 1e-6);
    }
    const texts = ["rain", "a dog barks", "", "rain on a tin roof"];
    const rows = await clap.embedText(texts);
    for (const [i, text] of texts.entries()) {
      const [alone] = await clap.embedText([text]);
      t.true(furthest(alone!, rows[i]!) <= 1e-6);
    }
  }
});

test.serial("every kind of input is the same sound", async (t) => {
  using clap = await Clap.fromPretrained(debug);
  const path = freshPath("a.wav");
  const left = goldenWave(11);
  const right = sine(500, 11);
  await writeAudio(path, { channels: [left, right], sampleRate: 48_000 }, { format: "wav-float" });
  const mono = left.map((value, i) => (value + right[i]!) / 2);
  const inputs: readonly AudioInput[] = [
    path,
    pathToFileURL(path),
    await readFile(path),
    createReadStream(path),
    mono,
    { channels: [left, right], sampleRate: 48_000 },
  ];
  const rows = await clap.embedAudio(inputs);
  for (const row of rows) t.true(furthest(row, rows[0]!) <= 1e-6);
  const [one] = await clap.embedAudio([path], { channels: 1 });
  const [alone] = await clap.embedAudio([right]);
  t.true(furthest(one!, alone!) <= 1e-6);
  t.true(furthest(one!, rows[0]!) > 1e-4);
});

test.serial("windows are pooled to one row, or are rows of a timeline", async (t) => {
  using clap = await Clap.fromPretrained(debug);
  const wave = goldenWave(21);
  const options = { hopSeconds: 4, windowSeconds: 8 } as const;
  const [line = []] = await clap.embedAudio([wave], { ...options, pool: "timeline" });
  const times = line.map(({ startSeconds, endSeconds }) => [startSeconds, endSeconds]);
  t.deepEqual(times, [
    [0, 8],
    [4, 12],
    [8, 16],
    [12, 20],
    [13, 21],
  ]);
  const rows = line.map(({ embedding }) => embedding);
  const [first] = await clap.embedAudio([wave.slice(0, 8 * 48_000)]);
  t.true(furthest(rows[0]!, first!) <= 1e-6);
  const combine = (pool: (values: readonly number[]) => number): Float32Array => {
    const pooled = rows[0]!.map((_, i) => pool(rows.map((row) => row[i]!)));
    return pooled.map((value) => value / norm(pooled));
  };
  const mean = combine((values) => values.reduce((sum, value) => sum + value, 0) / values.length);
  const [byMean] = await clap.embedAudio([wave], options);
  const [byMax] = await clap.embedAudio([wave], { ...options, pool: "max" });
  t.true(furthest(byMean!, mean) <= 1e-6);
  t.true(
    furthest(
      byMax!,
      combine((values) => Math.max(...values)),
    ) <= 1e-6,
  );
});

test.serial("random windows are those of their seed, clip by clip", async (t) => {
  for (const folder of [debug, fused]) {
    using clap = await Clap.fromPretrained(folder);
    const waves = [goldenWave(30), goldenWave(25)];
    const random = (seed: number) => ({ windows: "random", seed }) as const;
    const rows = await clap.embedAudio(waves, random(5));
    t.deepEqual(await clap.embedAudio(waves, random(5)), rows);
    const [second] = await clap.embedAudio([waves[1]!], random(6));
    t.true(furthest(second!, rows[1]!) <= 1e-6);
    const others = await clap.embedAudio(waves, random(7));
    t.true(furthest(others[0]!, rows[0]!) > 1e-6);
  }
});

test.serial("progress ends where it should, and an abort takes effect", async (t) => {
  using clap = await Clap.fromPretrained(debug);
  const steps: number[] = [];
  const waves = [goldenWave(1), goldenWave(2), goldenWave(3)];
  const onProgress = ({ step, totalSteps }: { step: number; totalSteps: number }) => {
    t.is(totalSteps, 3);
    steps.push(step);
  };
  await clap.embedAudio(waves, { batchSize: 1, onProgress });
  t.deepEqual([steps[0], steps.at(-1)], [0, 3]);
  t.deepEqual(steps, [...steps].sort());
  const controller = new AbortController();
  const stop = () => controller.abort();
  const { signal } = controller;
  await t.throwsAsync(clap.embedAudio(waves, { signal, batchSize: 1, onProgress: stop }), {
    code: "E_ABORTED",
  });
  await t.throwsAsync(clap.embedText(["a"], { signal }), { code: "E_ABORTED" });
  await t.throwsAsync(Clap.fromPretrained(debug, { signal }), { code: "E_ABORTED" });
});

test.serial("the CLAP inside a MusicLDM folder opens as well", async (t) => {
  using clap = await Clap.fromPretrained(debugFolder);
  const [row] = await clap.embedAudio([sine(440, 1)]);
  t.is(row?.length, clap.embeddingSize);
  t.is(clap.sampleRate, 48_000);
  t.is(clap.windowSeconds, 10);
  t.true(Math.abs(clap.logitScaleAudio - 1 / 0.07) < 1e-3);
  t.true(Math.abs(clap.logitScaleText - 1 / 0.07) < 1e-3);
});

test.serial("the fingerprint follows weights and mel settings", async (t) => {
  const print = async (folder: string) => {
    using clap = await Clap.fromPretrained(folder);
    return clap.fingerprint;
  };
  const own = await print(debug);
  t.regex(own, /^[0-9a-f]{64}$/);
  t.is(await print(debug), own);
  t.not(await print(await makeClap("debug", 2)), own);
  t.not(await print(withSettings(debug, "preprocessor_config.json", { frequency_min: 0 })), own);
});

test.serial("refuses what it cannot hear", async (t) => {
  using clap = await Clap.fromPretrained(debug);
  const wave = goldenWave(1);
  const wrong: readonly (readonly [EmbedAudioOptions, RegExp])[] = [
    [{ windowSeconds: 11 }, /at most 10 s.*windowSeconds.*11/],
    [{ hopSeconds: 11 }, /hopSeconds.*11/],
    [{ hopSeconds: 0 }, /hopSeconds.*0/],
    [{ batchSize: 0 }, /batchSize.*0/],
    [{ windows: "random" }, /a seed for seed/],
    [{ seed: 1 }, /seed.*1/],
    [{ windows: "fusion" }, /no fusion/],
    [{ windows: "random", seed: 1, hopSeconds: 1 }, /hopSeconds/],
    [{ pool: "sum" as "mean" }, /mean, max, timeline.*pool.*"sum"/],
    [{ fast: true } as EmbedAudioOptions, /known options.*fast/],
  ];
  for (const [options, message] of wrong) {
    const given = options as EmbedAudioOptions & { pool?: "mean" };
    await t.throwsAsync(clap.embedAudio([wave], given), { code: "E_ARGUMENT", message });
  }
  const timeline = { pool: "timeline", windows: "random", seed: 1 } as const;
  await t.throwsAsync(clap.embedAudio([wave], timeline), { code: "E_ARGUMENT" });
  await t.throwsAsync(clap.embedAudio([]), { code: "E_ARGUMENT" });
  await t.throwsAsync(clap.embedAudio([new Float32Array(0)]));
  await t.throwsAsync(clap.embedAudio([Float32Array.of(0, NaN)]), { code: "E_NONFINITE" });
  await t.throwsAsync(clap.embedAudio(["/nowhere.wav"]), { code: "E_IO" });
  await t.throwsAsync(clap.embedText([]), { code: "E_ARGUMENT" });
  const odd = withSettings(debug, "preprocessor_config.json", { truncation: "fusion" });
  using other = await Clap.fromPretrained(odd);
  await t.throwsAsync(other.embedAudio([wave]), { code: "E_CONFIG", message: /musicldm verify/ });
  const options = { device: "tpu" };
  await t.throwsAsync(Clap.fromPretrained(debug, options), { code: "E_ARGUMENT" });
  await t.throwsAsync(Clap.fromPretrained(""), { code: "E_ARGUMENT" });
});

test.serial("after dispose every call rejects", async (t) => {
  const clap = await Clap.fromPretrained(debug);
  clap.dispose();
  clap.dispose();
  await t.throwsAsync(clap.embedAudio([goldenWave(1)]), { code: "E_DISPOSED" });
  await t.throwsAsync(clap.embedText(["a"]), { code: "E_DISPOSED" });
});
