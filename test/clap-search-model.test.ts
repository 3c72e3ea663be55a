import { mkdirSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { writeAudio } from "../lib/audio/index.js";
import { Clap } from "../lib/clap/clap.js";
import { EmbeddingIndex } from "../lib/clap/embedding-index.js";
import { indexFolder } from "../lib/clap/index-folder.js";
import { searchIndex } from "../lib/clap/search.js";
import { memory } from "../lib/runtime/native.js";
import { freshPath, makeClap, sine } from "./helpers/clap.js";
import { integers } from "./helpers/safetensors.js";

const start = memory();
const model = await makeClap("debug");
const sampleRate = 16_000;

test.after.always("lifetime: no handle is left", (t) => {
  t.deepEqual(memory(), start);
});

function noise(seconds: number, seed: number): Float32Array {
  const random = integers(seed);
  return Float32Array.from({ length: seconds * sampleRate }, () => (random(2001) - 1000) / 8000);
}

/** Noise times a rising tone. */
function chirps(seconds: number, seed: number): Float32Array {
  return noise(seconds, seed).map((value, n) => value * Math.sin(n ** 1.5 / 4e3));
}

/** Three seconds of a chord that swells. */
function event(): Float32Array {
  const [low, high] = [sine(523, 3, sampleRate), sine(1760, 3, sampleRate)];
  return low.map((value, n) => (value + high[n]!) * Math.abs(Math.sin((9 * n) / sampleRate)));
}

/** Five minutes of noise, silent for the last 20 s of every minute, with the event at a time. */
function mix(atSeconds: number): Float32Array {
  const samples = noise(300, 1).map((value, n) => {
    return Math.floor(n / sampleRate) % 60 < 40 ? value : 0;
  });
  event().forEach((value, n) => (samples[Math.round(atSeconds * sampleRate) + n]! += value));
  return samples;
}

test.serial("a planted event of 3 s is found in 5 min within one hop, untrained", async (t) => {
  using clap = await Clap.fromPretrained(model);
  const folder = freshPath("mixes");
  mkdirSync(folder);
  const hopSeconds = 1;
  const others = noise(3, 99);
  const cases = [
    { file: "noise.wav", at: 134.3, query: event().map((value, n) => value + others[n]!) },
    { file: "silence.wav", at: 47.6, query: event() },
  ];
  for (const { file, at } of cases) {
    await writeAudio(join(folder, file), { channels: [mix(at)], sampleRate });
  }
  await using index = await EmbeddingIndex.open(":memory:", clap);
  const report = await indexFolder(clap, folder, index, { windowSeconds: 3, hopSeconds });
  t.deepEqual([report.added, report.failures.length], [2, 0]);
  t.is((await index.stats()).rows, 2 * 298);
  for (const { file, at, query } of cases) {
    const audio = { channels: [query], sampleRate };
    const [best] = await clap.search(index, { audio });
    t.log(`${file}: planted at ${at} s, found at ${best?.startSeconds} s, score ${best?.score}`);
    t.is(best?.file, file);
    t.true(Math.abs(best!.startSeconds - at) <= hopSeconds);
  }
});

test.serial("a window of a file finds itself, with a score of 1", async (t) => {
  using clap = await Clap.fromPretrained(model);
  const folder = freshPath("files");
  mkdirSync(folder);
  for (const [i, seconds] of [7, 23, 2].entries()) {
    const channels = [chirps(seconds, 10 + i)];
    await writeAudio(join(folder, `${i}.flac`), { channels, sampleRate });
  }
  const sound = chirps(23, 11);
  await using index = await EmbeddingIndex.open(freshPath("index.duckdb"), clap);
  await indexFolder(clap, folder, index);
  const [text] = await searchIndex(clap, index, { text: "anything" }, { limit: 1 });
  t.true(Math.abs(text!.score) <= 1);
  const part = sound.subarray(5 * sampleRate, 15 * sampleRate);
  const query = { audio: { channels: [part], sampleRate } };
  const [hit] = await searchIndex(clap, index, query);
  t.deepEqual([hit?.file, hit?.startSeconds, hit?.endSeconds], ["1.flac", 5, 15]);
  t.log(`score ${hit?.score}`);
  t.true(hit!.score > 0.999);
});
