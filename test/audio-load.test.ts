import { createReadStream } from "node:fs";
import { readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import test from "ava";
import { readAudio } from "../lib/audio/files.js";
import { loadAudio, probeAudio, streamAudio } from "../lib/audio/load.js";
import type { AudioClip } from "../lib/audio/types.js";
import { memory } from "../lib/runtime/native.js";
import { fixtureBytes, fixturePath, fixtures, largestDifference, mono } from "./helpers/audio.js";
import { noise } from "./helpers/audio.js";
import { runChild } from "./helpers/child.js";
import { openGolden } from "./helpers/golden.js";

interface DecodedFile {
  readonly sampleRate: number;
  readonly channels: number;
  readonly samples: number;
}

test.before((t) => {
  t.context = memory().handles;
});

/** Samples of each end that the golden keeps. */
const window = 1024;

const spooled = async (): Promise<string[]> =>
  (await readdir(tmpdir())).filter((name) => name.startsWith(`musicldm-audio-${process.pid}-`));

const inRange = (samples: Float32Array): Float32Array =>
  samples.map((value) => Math.min(32767 / 32768, Math.max(-1, value)));

test.serial("every format decodes to what the ffmpeg command decodes", async (t) => {
  using golden = await openGolden("audio-files");
  const files = JSON.parse(golden.metadata["files"] ?? "") as Record<string, DecodedFile>;
  t.deepEqual(fixtures, Object.keys(files).sort());
  for (const [name, wanted] of Object.entries(files)) {
    const { channels, sampleRate } = await loadAudio(fixturePath(name), { channels: "all" });
    t.is(sampleRate, wanted.sampleRate, name);
    t.is(channels.length, wanted.channels, name);
    const length = channels[0]?.length ?? 0;
    // FFmpeg 8 leaves out the padding after the last sample of an MP4, FFmpeg 5 does not.
    const missing = wanted.samples - length;
    t.true(missing >= 0 && missing < (name.endsWith("m4a") ? 1024 : 1), `${name}: ${missing}`);
    const errors = await Promise.all(
      [0, wanted.samples - window].map(async (from) => {
        const part = from === 0 ? "head" : "tail";
        const integers = await golden.get(`${name}.${part}`).floats();
        return Math.max(
          ...channels.map((channel, c) => {
            const actual = inRange(channel.slice(from, from + window));
            const steps = integers.subarray(c * window, c * window + actual.length);
            return largestDifference(
              actual,
              steps.map((step) => step / 32768),
            );
          }),
        );
      }),
    );
    const worst = Math.max(...errors) * 32768;
    t.log(`${name}: ${worst.toFixed(3)} steps of 16 bits`);
    t.true(worst <= (/wav|flac/.test(name) ? 0 : 1.01), name);
  }
});

test.serial("a file is the same from a path, a URL, bytes and a stream", async (t) => {
  const path = fixturePath("music.mp3");
  const wanted = await loadAudio(path);
  t.deepEqual(await loadAudio(pathToFileURL(resolve(path))), wanted);
  t.deepEqual(await loadAudio(fixtureBytes("music.mp3")), wanted);
  t.deepEqual(await loadAudio(new Uint8Array(fixtureBytes("music.mp3"))), wanted);
  t.deepEqual(await loadAudio(createReadStream(path)), wanted);
  t.deepEqual(await spooled(), []);
});

test.serial("samples and clips pass through", async (t) => {
  const samples = noise(1000);
  t.deepEqual(await loadAudio(samples), { channels: [samples], sampleRate: 48000 });
  const clip = { channels: [samples, noise(1000, 2)], sampleRate: 8000 };
  t.deepEqual(await loadAudio(clip, { channels: "all" }), clip);
  const part = await loadAudio(samples, { inputSampleRate: 100, startSeconds: 1, seconds: 2 });
  t.deepEqual(part, { channels: [samples.slice(100, 300)], sampleRate: 100 });
});

test.serial("mono is the mean, and a number is one channel", async (t) => {
  const path = fixturePath("music.flac");
  const { channels } = await readAudio(path);
  const [left = new Float32Array(0), right = new Float32Array(0)] = channels;
  t.deepEqual((await loadAudio(path, { channels: "all" })).channels, channels);
  t.deepEqual(mono(await loadAudio(path, { channels: 1 })), right);
  const mean = left.map((value, i) => (value + (right[i] ?? 0)) / 2);
  t.deepEqual(mono(await loadAudio(path)), mean);
  t.deepEqual(mono(await loadAudio({ channels, sampleRate: 44100 })), mean);
});

test.serial("probing tells the codec, the length and the tags", async (t) => {
  const codecs: Readonly<Record<string, readonly [string, string]>> = {
    wav: ["wav", "pcm_s16le"],
    flac: ["flac", "flac"],
    mp3: ["mp3", "mp3"],
    ogg: ["ogg", "vorbis"],
    opus: ["ogg", "opus"],
    webm: ["webm", "opus"],
    m4a: ["mp4", "aac"],
    aac: ["aac", "aac"],
  };
  for (const name of fixtures) {
    const info = await probeAudio(fixturePath(name));
    const extension = name.split(".")[1] ?? "";
    t.deepEqual([info.container, info.codec], [...(codecs[extension] ?? [])], name);
    t.is(info.channelCount, name.startsWith("music") ? 2 : 1, name);
    const { channels, sampleRate } = await loadAudio(fixturePath(name));
    t.is(info.sampleRate, sampleRate);
    const seconds = (channels[0]?.length ?? 0) / sampleRate;
    t.true(Math.abs((info.seconds ?? 0) - seconds) < (extension === "aac" ? 3 : 0.1), name);
    if (extension === "aac") continue; // ADTS has no place for tags
    t.is(info.tags["title"], "Příliš žluťoučký", name);
    t.is(info.tags["artist"], "A. Tester", name);
  }
  const raw = await probeAudio(noise(4800));
  t.like(raw, { container: "raw", sampleRate: 48000, channelCount: 1, seconds: 0.1 });
});

test.serial("a stream of clips adds up to the whole", async (t) => {
  for (const [name, sampleRate] of [
    ["speech.opus", undefined],
    ["speech.mp3", 48000],
    ["music.ogg", 16000],
  ] as const) {
    const options = { sampleRate, startSeconds: 0.1 };
    const whole = mono(await loadAudio(fixturePath(name), options));
    const parts: number[] = [];
    let at = 0;
    for await (const clip of streamAudio(fixturePath(name), { ...options, chunkSeconds: 0.25 })) {
      t.true(Math.abs(clip.startSeconds - 0.1 - at / clip.sampleRate) < 1e-4);
      at += mono(clip).length;
      parts.push(...mono(clip));
    }
    t.true(largestDifference(parts, whole) < 1e-6, name);
  }
});

test.serial("leaving a stream early gives everything back", async (t) => {
  for await (const clip of streamAudio(fixtureBytes("speech.mp3"), { chunkSeconds: 0.5 })) {
    t.is(mono(clip).length, 8000);
    break;
  }
  t.deepEqual(await spooled(), []);
});

test.serial("many files at once are read in turn", async (t) => {
  const names = Array.from({ length: 20 }, (_, i) => fixtures[i % fixtures.length] ?? "");
  const clips = await Promise.all(names.map((name) => loadAudio(fixturePath(name))));
  const alone: AudioClip[] = [];
  for (const name of names) alone.push(await loadAudio(fixturePath(name)));
  t.deepEqual(clips, alone);
});

test.serial("without FFmpeg, WAV and FLAC are read and others say what to install", async (t) => {
  const script = `
    import { loadAudio, probeAudio } from "./lib/audio/load.ts";
    const report = {};
    for (const name of ["music.wav", "music.flac"]) {
      const { channels } = await loadAudio("${fixturePath("")}" + name, { channels: "all" });
      report[name] = [channels.length, channels[0].length, channels[1][2000]];
      report[name].push((await probeAudio("${fixturePath("")}" + name)).codec);
    }
    const error = await loadAudio("${fixturePath("")}music.mp3").catch((error) => error);
    console.log(JSON.stringify({ ...report, code: error.code, message: error.message }));`;
  process.env["MUSICLDM_AUDIO_DECODER"] = "plain";
  const { stdout, stderr } = await runChild(script);
  delete process.env["MUSICLDM_AUDIO_DECODER"];
  t.is(stderr, "");
  const report = JSON.parse(stdout) as Record<string, unknown>;
  for (const name of ["music.wav", "music.flac"]) {
    const { channels } = await loadAudio(fixturePath(name), { channels: "all" });
    const { codec } = await probeAudio(fixturePath(name));
    t.deepEqual(report[name], [2, channels[0]?.length, channels[1]?.[2000], codec]);
  }
  t.is(report["code"], "E_AUDIO");
  t.regex(String(report["message"]), /npm install node-av@\d/);
});

test.serial("every handle is given back", (t) => {
  t.is(memory().handles, t.context as number);
});
