import { mkdir, mkdtemp, rename, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { writeAudio } from "../lib/audio/files.js";
import { EmbeddingIndex } from "../lib/clap/embedding-index.js";
import { indexFolder } from "../lib/clap/index-folder.js";
import { mergeHits, searchIndex } from "../lib/clap/search.js";
import type { MusicLDMError } from "../lib/runtime/errors.js";
import { BandModel, sine } from "./helpers/bands.js";
import { integers } from "./helpers/safetensors.js";

const sampleRate = 8000;

async function makeFolder(): Promise<string> {
  return await mkdtemp(join(tmpdir(), "musicldm-search-"));
}

async function writeTone(folder: string, name: string, hertz: number, seconds = 4): Promise<void> {
  await writeAudio(join(folder, name), {
    channels: [sine(hertz, seconds, sampleRate)],
    sampleRate,
  });
}

async function openIndex(model = new BandModel()): Promise<EmbeddingIndex> {
  return await EmbeddingIndex.open(":memory:", model);
}

/** Five minutes of noise and silence with three seconds of a chord. */
function mix(eventSeconds: number): Float32Array {
  const random = integers(3);
  const samples = Float32Array.from({ length: 300 * sampleRate }, (_, n) => {
    const isSilent = Math.floor(n / sampleRate / 20) % 3 === 2;
    return isSilent ? 0 : (random(2001) - 1000) / 5000;
  });
  event().forEach((value, n) => (samples[eventSeconds * sampleRate + n]! += value));
  return samples;
}

function event(): Float32Array {
  const [low, high] = [sine(400, 3, sampleRate), sine(800, 3, sampleRate)];
  return low.map((value, n) => (value + high[n]!) / 2);
}

test("a planted event of 3 s is found in 5 min within one hop", async (t) => {
  const model = new BandModel();
  const folder = await makeFolder();
  const noise = mix(0).subarray(10 * sampleRate, 100 * sampleRate);
  await writeAudio(join(folder, "other.wav"), { channels: [noise], sampleRate });
  for (const [at, hopSeconds] of [
    [187.3, 1],
    [47.8, 0.5],
    [297, 1],
  ] as const) {
    await writeAudio(join(folder, "mix.wav"), { channels: [mix(at)], sampleRate });
    await using index = await openIndex(model);
    await indexFolder(model, folder, index, { windowSeconds: 3, hopSeconds });
    const audio = { channels: [event()], sampleRate };
    const [best, ...rest] = await searchIndex(model, index, { audio });
    t.log(`planted at ${at} s, found at ${best?.startSeconds} s, score ${best?.score}`);
    t.is(best?.file, "mix.wav");
    t.true(Math.abs(best!.startSeconds - at) <= hopSeconds);
    const apart = rest.filter((hit) => hit.startSeconds >= at + 3 || hit.endSeconds <= at);
    t.true(apart.length >= 6 && apart.every(({ score }) => score < best!.score - 0.2));
  }
});

test("texts, clips and embeddings are searched for alike", async (t) => {
  const model = new BandModel();
  const folder = await makeFolder();
  await mkdir(join(folder, "deep", "deeper"), { recursive: true });
  await writeTone(folder, "a.wav", 200);
  await writeTone(folder, "deep/b.wav", 800);
  await writeTone(folder, "deep/deeper/c.flac", 3200 / Math.SQRT2);
  await using index = await openIndex(model);
  const report = await indexFolder(model, folder, index);
  t.deepEqual(report, {
    added: 3,
    changed: 0,
    renamed: 0,
    removed: 0,
    unchanged: 0,
    failures: [],
  });
  const [byText] = await searchIndex(model, index, { text: "800 Hz" }, { limit: 1 });
  t.is(byText?.file, "deep/b.wav");
  const audio = { channels: [sine(200, 9, sampleRate)], sampleRate };
  t.is((await searchIndex(model, index, { audio }))[0]?.file, "a.wav");
  const [embedding] = await model.embedText(["2263 Hz"]);
  const byEmbedding = await searchIndex(model, index, { embedding: embedding! });
  t.is(byEmbedding[0]?.file, "deep/deeper/c.flac");
  const inB = await searchIndex(model, index, { text: "200 Hz" }, { filter: "deep/*", perFile: 1 });
  t.deepEqual(inB.map(({ file }) => file).sort(), ["deep/b.wav", "deep/deeper/c.flac"]);
});

test("of windows that overlap the best stands for all", async (t) => {
  const hit = (file: string, startSeconds: number, score: number) => {
    return { file, startSeconds, endSeconds: startSeconds + 10, score };
  };
  const hits = [
    hit("a", 20, 0.9),
    hit("a", 25, 0.8),
    hit("b", 20, 0.7),
    hit("a", 30, 0.6),
    hit("a", 11, 0.5),
    hit("a", 0, 0.4),
  ];
  const starts = (limit: number, perFile?: number) =>
    mergeHits(hits, { limit, perFile }).map(({ file, startSeconds }) => `${file}${startSeconds}`);
  t.deepEqual(starts(10), ["a20", "b20", "a30", "a0"]);
  t.deepEqual(starts(2), ["a20", "b20"]);
  t.deepEqual(starts(10, 1), ["a20", "b20"]);
  const model = new BandModel();
  await using index = await openIndex(model);
  const [embedding] = await model.embedText(["440 Hz"]);
  const row = (file: string, i: number) => {
    return { file, startSeconds: i / 100, endSeconds: i / 100 + 10, embedding: embedding! };
  };
  await index.add(Array.from({ length: 900 }, (_, i) => row("long", i)));
  await index.add([row("short", 0)]);
  const found = await searchIndex(model, index, { text: "440 Hz" }, { limit: 2 });
  t.deepEqual(
    found.map(({ file }) => file),
    ["long", "short"],
  );
});

test("an update touches only what has changed", async (t) => {
  const model = new BandModel();
  const folder = await makeFolder();
  await writeTone(folder, "same.wav", 200);
  await writeTone(folder, "touched.wav", 300);
  await writeTone(folder, "moved.wav", 400);
  await writeTone(folder, "edited.wav", 500);
  await writeTone(folder, "gone.wav", 600);
  await using index = await openIndex(model);
  await indexFolder(model, folder, index);
  t.is(model.heard.length, 5);
  await utimes(join(folder, "touched.wav"), 1e9, 1e9);
  await rename(join(folder, "moved.wav"), join(folder, "elsewhere.wav"));
  await writeTone(folder, "edited.wav", 700);
  await rm(join(folder, "gone.wav"));
  await writeTone(folder, "new.wav", 1000);
  const counts = { added: 1, changed: 1, renamed: 1, removed: 1, unchanged: 2, failures: [] };
  t.deepEqual(await indexFolder(model, folder, index), counts);
  t.is(model.heard.length, 7);
  const [hit] = await searchIndex(model, index, { text: "400 Hz" });
  t.is(hit?.file, "elsewhere.wav");
  const still = { added: 0, changed: 0, renamed: 0, removed: 0, unchanged: 5, failures: [] };
  t.deepEqual(await indexFolder(model, folder, index), still);
  t.is(model.heard.length, 7);
  t.is((await index.stats()).files, 5);
});

test("hidden files, links and unreadable files do not stop the others", async (t) => {
  const model = new BandModel();
  const folder = await makeFolder();
  await writeTone(folder, "good.WAV", 200);
  await writeTone(folder, "b.wav", 200);
  await writeTone(folder, ".hidden.wav", 300);
  await mkdir(join(folder, ".cache"));
  await writeTone(folder, ".cache/c.wav", 300);
  await mkdir(join(folder, "named.wav"));
  await writeFile(join(folder, "notes.txt"), "no audio");
  await writeFile(join(folder, "broken.wav"), "RIFF no audio");
  await symlink("b.wav", join(folder, "link.wav"));
  await symlink("absent.wav", join(folder, "dangling.wav"));
  await symlink(".", join(folder, "loop"));
  await using index = await openIndex(model);
  const { failures, ...counts } = await indexFolder(model, folder, index);
  t.deepEqual(counts, { added: 3, changed: 0, renamed: 0, removed: 0, unchanged: 0 });
  const codes = failures.map(({ file, error }) => `${file} ${error.code}`);
  t.deepEqual(codes.sort(), ["broken.wav E_AUDIO", "dangling.wav E_IO"]);
  await writeFile(join(folder, "b.wav"), "RIFF no more");
  const later = await indexFolder(model, folder, index);
  t.is(later.removed, 2);
  t.is(later.failures.length, 4);
  t.deepEqual(
    (await index.files()).map(({ file }) => file),
    ["good.WAV"],
  );
});

test("an update that is aborted keeps what it has done", async (t) => {
  const model = new BandModel();
  const folder = await makeFolder();
  for (let i = 0; i < 20; i += 1) await writeTone(folder, `${i}.wav`, 100 + 50 * i, 1);
  await using index = await openIndex(model);
  const controller = new AbortController();
  const steps: number[] = [];
  const run = indexFolder(model, folder, index, {
    signal: controller.signal,
    onProgress: ({ stage, step, totalSteps }) => {
      t.deepEqual([stage, totalSteps], ["index", 20]);
      steps.push(step);
      if (step > 0) controller.abort();
    },
  });
  await t.throwsAsync(run, { code: "E_ABORTED" });
  t.deepEqual(steps, [0, 8]);
  t.is((await index.stats()).files, 8);
  const { added, unchanged } = await indexFolder(model, folder, index);
  t.deepEqual([added, unchanged], [12, 8]);
});

test("invalid folders, models, windows and queries are refused", async (t) => {
  const model = new BandModel();
  const folder = await makeFolder();
  await writeTone(folder, "a.wav", 200);
  await using index = await openIndex(model);
  const code = async (run: Promise<unknown>) => (await t.throwsAsync<MusicLDMError>(run))?.code;
  t.is(await code(indexFolder(model, join(folder, "absent"), index)), "E_IO");
  t.is(await code(indexFolder(model, "", index)), "E_ARGUMENT");
  t.is(await code(indexFolder(model, folder, index, { extensions: ["wav"] })), "E_ARGUMENT");
  t.is(await code(indexFolder(model, folder, index, { extensions: [] })), "E_ARGUMENT");
  const other = new BandModel("other");
  t.is(await code(indexFolder(other, folder, index)), "E_CONFIG");
  t.is(await code(searchIndex(other, index, { text: "440 Hz" })), "E_CONFIG");
  await using small = await openIndex(model);
  await indexFolder(model, folder, small, { windowSeconds: 1 });
  t.is(await code(indexFolder(model, folder, small, { windowSeconds: 2 })), "E_CONFIG");
  t.is((await indexFolder(model, folder, small)).unchanged, 1);
  t.is(await code(searchIndex(model, small, {} as { text: string })), "E_ARGUMENT");
  t.is(await code(searchIndex(model, small, { text: "1 Hz" }, { limit: -1 })), "E_ARGUMENT");
  const embedding = new Float32Array(2);
  t.is(await code(searchIndex(model, small, { embedding })), "E_SHAPE");
});
