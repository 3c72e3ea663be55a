import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import test from "ava";
import { loadAudio, streamAudio } from "../lib/audio/load.js";
import { fixtureBytes, mono, wavOf } from "./helpers/audio.js";

const folder = await mkdtemp(join(tmpdir(), "musicldm-long-"));
test.after.always(() => rm(folder, { recursive: true }));

/** A WAV file of silence at 48 kHz, most of it a hole in the file. */
async function longWav(minutes: number): Promise<string> {
  const path = join(folder, `${minutes}.wav`);
  const header = Buffer.from(await wavOf([new Float32Array(0), new Float32Array(0)], 48000));
  const bytes = minutes * 60 * 48000 * 4;
  header.writeUInt32LE(36 + bytes, 4);
  header.writeUInt32LE(bytes, 40);
  await using file = await open(path, "w");
  await file.writeFile(header);
  await file.truncate(44 + bytes);
  return path;
}

async function longMp3(repeats: number): Promise<string> {
  const path = join(folder, `${repeats}.mp3`);
  const bytes = fixtureBytes("speech.mp3");
  await using file = await open(path, "w");
  for (let i = 0; i < repeats; i++) await file.write(bytes);
  return path;
}

test.serial("an hour is streamed in bounded memory", async (t) => {
  const path = await longWav(60);
  const before = process.memoryUsage().rss;
  let most = 0;
  let samples = 0;
  for await (const clip of streamAudio(path, { sampleRate: 16000, chunkSeconds: 30 })) {
    samples += mono(clip).length;
    most = Math.max(most, process.memoryUsage().rss - before);
  }
  t.is(samples, 3600 * 16000);
  t.log(`${(most / 1e6).toFixed(0)} MB above ${(before / 1e6).toFixed(0)} MB`);
  t.true(most < 300e6);
});

test.serial("decoding leaves the JavaScript thread free", async (t) => {
  for (const path of [await longMp3(101), await longWav(10)]) {
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    const { channels } = await loadAudio(path, { sampleRate: 16000 });
    delay.disable();
    t.true((channels[0]?.length ?? 0) > 9.9 * 60 * 16000);
    const [mean, most] = [delay.mean / 1e6, delay.max / 1e6];
    t.log(`delay of the event loop: mean ${mean.toFixed(1)} ms, at most ${most.toFixed(0)} ms`);
    t.true(mean < 20);
  }
});

test.serial("the end of a long file is near", async (t) => {
  const path = await longWav(60);
  const clip = await loadAudio(path, { startSeconds: 3599.5 });
  t.is(mono(clip).length, 24000);
});
