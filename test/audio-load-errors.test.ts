import { createReadStream } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import test from "ava";
import type { ExecutionContext } from "ava";
import { loadAudio, probeAudio, streamAudio } from "../lib/audio/load.js";
import type { AudioInput } from "../lib/audio/source.js";
import { MusicLDMError } from "../lib/runtime/errors.js";
import type { ErrorCode } from "../lib/runtime/errors.js";
import { fixtureBytes, fixturePath, fixtures, noise, wavOf } from "./helpers/audio.js";

const folder = await mkdtemp(join(tmpdir(), "musicldm-errors-"));
test.after.always(() => rm(folder, { recursive: true }));

async function refuses(
  t: ExecutionContext,
  run: () => Promise<unknown>,
  code: ErrorCode,
): Promise<MusicLDMError> {
  const error = await t.throwsAsync<MusicLDMError>(run, { instanceOf: MusicLDMError });
  if (!error) throw new Error("nothing was thrown");
  t.is(error.code, code, error.message);
  return error;
}

/** The bytes of a fixture with `count` of them inverted from a part of its length on. */
function damaged(name: string, part: number, count = 40): Buffer {
  const bytes = fixtureBytes(name);
  const from = Math.floor(bytes.length * part);
  for (let at = from; at < from + count; at++) bytes[at] = (bytes[at] ?? 0) ^ 0xff;
  return bytes;
}

test("a damaged file is E_AUDIO with the place", async (t) => {
  for (const name of ["speech.flac", "speech.mp3", "speech.ogg", "speech.opus", "speech.aac"]) {
    const bytes = damaged(name, 0.6);
    const error = await refuses(t, () => loadAudio(bytes), "E_AUDIO");
    const { seconds, byteOffset } = error.details;
    t.log(`${name}: ${error.message}`);
    t.true(typeof seconds === "number" || typeof byteOffset === "number", name);
    t.regex(error.message, / at .*(\d s|byte \d)/);
    if (typeof byteOffset !== "number") continue;
    t.true(byteOffset > bytes.length * 0.25 && byteOffset < bytes.length * 0.75, name);
  }
});

test("a file that is cut off is E_AUDIO with the place", async (t) => {
  for (const name of fixtures) {
    const bytes = fixtureBytes(name);
    const kept = bytes.subarray(0, Math.floor(bytes.length * 0.7));
    const error = await refuses(t, () => loadAudio(kept), "E_AUDIO");
    t.log(`${name}: ${error.message}`);
  }
});

test("a stream delivers what comes before the damage", async (t) => {
  const bytes = damaged("speech.mp3", 0.8);
  let clips = 0;
  const read = async () => {
    for await (const _ of streamAudio(bytes, { chunkSeconds: 0.5 })) clips++;
  };
  await refuses(t, read, "E_AUDIO");
  t.is(clips, 9); // the damage begins at 4.8 s
});

test("what is no audio is E_AUDIO", async (t) => {
  const text = Buffer.from("It was a bright cold day in April, and the clocks struck.".repeat(99));
  const random = Buffer.from(noise(5000).buffer);
  const inputs: readonly AudioInput[] = [Buffer.alloc(0), Buffer.alloc(5000), text, random];
  for (const input of inputs) {
    await refuses(t, () => loadAudio(input), "E_AUDIO");
    await refuses(t, () => probeAudio(input), "E_AUDIO");
  }
  await refuses(t, () => loadAudio("package.json"), "E_AUDIO");
  await refuses(t, () => loadAudio(new PassThrough().end()), "E_AUDIO");
  const path = join(folder, "empty.mp3");
  await writeFile(path, "");
  const error = await refuses(t, () => loadAudio(path), "E_AUDIO");
  t.regex(error.message, /empty\.mp3" but it is empty/);
  await refuses(t, () => loadAudio(new Float32Array(0)), "E_AUDIO");
});

test("absurd headers are E_AUDIO", async (t) => {
  const wav = Buffer.from(await wavOf([noise(500)]));
  const withField = (at: number, value: number, width: 2 | 4): Buffer => {
    const copy = Buffer.from(wav);
    copy.writeUIntLE(value, at, width);
    return copy;
  };
  const rate = withField(24, 4_000_000_000, 4);
  const noRate = withField(24, 0, 4);
  const channels = withField(22, 65535, 2);
  const noChannels = withField(22, 0, 2);
  const length = withField(40, 0xfffffff0, 4);
  for (const bytes of [rate, noRate, channels, noChannels, length]) {
    await refuses(t, () => loadAudio(bytes), "E_AUDIO");
  }
  const flac = fixtureBytes("speech.flac");
  flac[21] = (flac[21] ?? 0) | 0x0f; // 2^36 samples
  flac.fill(0xff, 22, 26);
  const error = await refuses(t, () => loadAudio(flac), "E_AUDIO");
  t.regex(error.message, /it has 8000 of 687\d+ samples/);
});

test("what cannot be read is E_IO", async (t) => {
  const absent = join(folder, "absent.mp3");
  t.regex((await refuses(t, () => loadAudio(absent), "E_IO")).message, /absent\.mp3/);
  t.regex((await refuses(t, () => loadAudio(folder), "E_IO")).message, /folder/);
  await refuses(t, () => loadAudio("/dev/null"), "E_IO");
  await refuses(t, () => loadAudio(createReadStream(absent)), "E_IO");
  await refuses(t, () => probeAudio(absent), "E_IO");
});

test("other inputs and options are E_ARGUMENT", async (t) => {
  const path = fixturePath("sine.wav");
  await refuses(t, () => loadAudio(new URL("https://example.org/a.mp3")), "E_ARGUMENT");
  await refuses(t, () => loadAudio(7 as unknown as string), "E_ARGUMENT");
  await refuses(t, () => loadAudio(null as unknown as string), "E_ARGUMENT");
  for (const options of [
    { channels: 1 },
    { channels: -1 },
    { channels: "left" as "mono" },
    { sampleRate: 0 },
    { sampleRate: NaN },
    { startSeconds: -1 },
    { seconds: 0 },
    { seconds: Infinity },
  ]) {
    await refuses(t, () => loadAudio(path, options), "E_ARGUMENT");
  }
  const stream = streamAudio(path, { chunkSeconds: 0 });
  await refuses(t, () => stream.next(), "E_ARGUMENT");
  await refuses(t, () => loadAudio(Float32Array.of(NaN)), "E_NONFINITE");
});

test("a float that is no number is E_AUDIO", async (t) => {
  const clip = Buffer.alloc(44 + 400 + 2); // with half a sample at the end
  clip.write("RIFF", 0, "latin1");
  clip.writeUInt32LE(clip.length - 8, 4);
  clip.write("WAVEfmt ", 8, "latin1");
  [16, 0x0001_0003, 16000, 64000, 0x0020_0004].forEach((x, i) => clip.writeUInt32LE(x, 16 + 4 * i));
  clip.write("data", 36, "latin1");
  clip.writeUInt32LE(clip.length - 44, 40);
  t.is((await loadAudio(clip)).channels[0]?.length, 100);
  clip.writeFloatLE(NaN, 100);
  await refuses(t, () => loadAudio(clip), "E_AUDIO");
});

test("an abort takes effect at any time", async (t) => {
  const path = fixturePath("speech.mp3");
  await refuses(t, () => loadAudio(path, { signal: AbortSignal.abort() }), "E_ABORTED");
  for (const delay of [0, 1, 5, 20, 50]) {
    const signal = AbortSignal.timeout(delay);
    const outcome = await loadAudio(path, { signal, sampleRate: 44100 }).catch((e: unknown) => e);
    if (outcome instanceof Error) t.is((outcome as MusicLDMError).code, "E_ABORTED");
  }
  const controller = new AbortController();
  const { signal } = controller;
  const read = async () => {
    for await (const _ of streamAudio(path, { signal, chunkSeconds: 0.1 })) controller.abort();
  };
  await refuses(t, read, "E_ABORTED");
  const endless = new PassThrough();
  endless.write(fixtureBytes("speech.mp3"));
  // Unlike the timer of AbortSignal.timeout, this one keeps a process alive that waits for nothing.
  const late = new AbortController();
  setTimeout(() => late.abort(), 20);
  await refuses(t, () => loadAudio(endless, { signal: late.signal }), "E_ABORTED");
  t.is((await loadAudio(path)).sampleRate, 16000);
});

test("what is no audio, and options of a wrong type, are E_ARGUMENT", async (t) => {
  await refuses(t, () => loadAudio(Readable.from([{ not: "bytes" }])), "E_ARGUMENT");
  await refuses(t, () => loadAudio(new URL("file:///a%2Fb.wav")), "E_ARGUMENT");
  const path = fixturePath("speech.wav");
  for (const options of [null, 5, { signal: 5 }, { signal: {} }] as unknown as [undefined]) {
    await refuses(t, () => loadAudio(path, options), "E_ARGUMENT");
    await refuses(t, () => probeAudio(path, options), "E_ARGUMENT");
    await refuses(t, () => streamAudio(path, options).next(), "E_ARGUMENT");
  }
});

test("a file without samples is named", async (t) => {
  const path = join(folder, "silence.wav");
  await writeFile(path, await wavOf([new Float32Array(0)]));
  const error = await refuses(t, () => loadAudio(path), "E_AUDIO");
  t.regex(error.message, /silence\.wav/);
});
