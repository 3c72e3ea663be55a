import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { loadAudio, streamAudio } from "../lib/audio/load.js";
import {
  fixtureBytes,
  fixturePath,
  largestDifference,
  mono,
  noise,
  wavOf,
} from "./helpers/audio.js";
import { encodeAudio } from "../lib/audio/files.js";

const folder = await mkdtemp(join(tmpdir(), "musicldm-seek-"));
test.after.always(() => rm(folder, { recursive: true }));

/** Long files of every format: the speech, and what only repeats or is written here. */
async function longFiles(): Promise<Readonly<Record<string, string>>> {
  const repeated = { channels: [noise(16000 * 12)], sampleRate: 16000 };
  const made = {
    wav: await wavOf(repeated.channels),
    flac: await encodeAudio(repeated, { format: "flac" }),
    aac: Buffer.concat(Array.from({ length: 5 }, () => fixtureBytes("speech.aac"))),
  };
  const files: Record<string, string> = {};
  for (const [extension, bytes] of Object.entries(made)) {
    const path = join(folder, `long.${extension}`);
    await writeFile(path, bytes);
    files[extension] = path;
  }
  for (const extension of ["mp3", "ogg", "opus", "webm", "m4a"]) {
    files[extension] = fixturePath(`speech.${extension}`);
  }
  return files;
}

/** What an Opus decoder that starts elsewhere has not forgotten after a second. */
const codecError: Readonly<Record<string, number>> = { opus: 1e-4, webm: 1e-4 };

test("any part equals that part of the whole", async (t) => {
  for (const [format, path] of Object.entries(await longFiles())) {
    const { channels, sampleRate } = await loadAudio(path);
    const [whole = new Float32Array(0)] = channels;
    let worst = 0;
    for (const startSeconds of [0, 0.01, 1, 2.9, 3.3333, 4.2, 5.003, 5.7]) {
      const part = mono(await loadAudio(path, { startSeconds, seconds: 0.2 }));
      const start = Math.round(startSeconds * sampleRate);
      const wanted = whole.subarray(start, start + Math.round(0.2 * sampleRate));
      const difference = largestDifference(part, wanted);
      t.false(Number.isNaN(difference), `${format} at ${startSeconds}`);
      worst = Math.max(worst, difference);
    }
    t.log(`${format}: ${worst.toExponential(1)}`);
    t.true(worst <= (codecError[format] ?? 0), format);
  }
});

test("a part at another rate equals that part of the whole", async (t) => {
  for (const [format, path] of Object.entries(await longFiles())) {
    const whole = mono(await loadAudio(path, { sampleRate: 44100 }));
    const options = { sampleRate: 44100, startSeconds: 4.1, seconds: 0.5 };
    const part = mono(await loadAudio(path, options));
    const start = Math.round(4.1 * 44100);
    const wanted = whole.subarray(start, start + 22050);
    t.true(largestDifference(part, wanted) <= (codecError[format] ?? 1e-6), format);
  }
});

test("a part that reaches beyond the end stops there", async (t) => {
  const path = fixturePath("speech.ogg");
  const whole = mono(await loadAudio(path));
  const part = mono(await loadAudio(path, { startSeconds: 5.5, seconds: 100 }));
  t.deepEqual(part, whole.slice(Math.round(5.5 * 16000)));
});

test("a start behind the end is refused", async (t) => {
  for (const name of ["speech.mp3", "speech.opus", "speech.m4a", "sine.wav"]) {
    const options = { startSeconds: 60 };
    await t.throwsAsync(() => loadAudio(fixturePath(name), options), { code: "E_ARGUMENT" });
  }
  const stream = streamAudio(noise(100), { startSeconds: 60 });
  await t.throwsAsync(() => stream.next(), { code: "E_ARGUMENT" });
});
