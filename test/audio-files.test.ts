import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import test from "ava";
import {
  encodeAudio,
  readAudio,
  readAudioInfo,
  readAudioMetadata,
  writeAudio,
  writeAudioTo,
} from "../lib/audio/files.js";
import { downmix } from "../lib/audio/pcm.js";
import type { AudioClip, AudioFormat } from "../lib/audio/types.js";
import { MusicLDMError, type ErrorCode } from "../lib/runtime/errors.js";

const folder = await mkdtemp(join(tmpdir(), "musicldm-audio-"));

/** Sine with noise from a linear congruential generator, on the grid of `bits`, of full range. */
function clip(length: number, channelCount: number, bits: 16 | 24): AudioClip {
  const scale = 2 ** (bits - 1);
  let state = 12345;
  const channels = Array.from({ length: channelCount }, (_, c) =>
    Float32Array.from({ length }, (_, i) => {
      state = (state * 1103515245 + 12345) % 2 ** 31;
      const level = 0.8 * Math.sin(i / (10 + c)) + (0.1 * state) / 2 ** 31;
      const integer = i === 1 ? -scale : i === 2 ? scale - 1 : Math.round(level * scale);
      return integer / scale;
    }),
  );
  return { channels, sampleRate: 16000 };
}

async function rejects(
  t: { throwsAsync: (f: () => Promise<unknown>, e: object) => Promise<MusicLDMError> },
  run: () => Promise<unknown>,
  code: ErrorCode,
  path: string,
): Promise<void> {
  const error = await t.throwsAsync(run, { instanceOf: MusicLDMError });
  if (error.code !== code || !error.message.includes(path)) throw error;
}

const formats: readonly AudioFormat[] = ["wav", "wav-float", "flac"];
const lengths = [3, 16, 4096, 4097, 40961, 163840];

for (const format of formats) {
  test(`${format} keeps 16-bit samples bit for bit at any length`, async (t) => {
    for (const length of lengths) {
      for (const channelCount of [1, 2]) {
        const path = join(folder, `keep-${format}-${length}-${channelCount}.audio`);
        const source = clip(length, channelCount, 16);
        await writeAudio(path, source, { format });
        t.deepEqual(await readAudio(path), source);
      }
    }
  });

  test(`${format} keeps metadata, emoji and long prompts`, async (t) => {
    const path = join(folder, `metadata-${format}.audio`);
    const title = "Lo-fi 🎧 beats, čeština, 日本語 ".repeat(400);
    const settings = { prompt: title, negativePrompt: "\u0000\n\"'", seed: 7, loop: false };
    const metadata = { title, software: "musicldm-native 0.1.0", date: "2026-01-31", settings };
    await writeAudio(path, clip(2001, 1, 16), { format, metadata });
    t.deepEqual(await readAudioMetadata(path), metadata);
    const { sampleRate, channelCount, sampleCount } = await readAudioInfo(path);
    t.deepEqual(
      { sampleRate, channelCount, sampleCount },
      {
        sampleRate: 16000,
        channelCount: 1,
        sampleCount: 2001,
      },
    );
  });

  test(`${format} cut off or damaged gives E_AUDIO or another clip, never a crash`, async (t) => {
    const bytes = await encodeAudio(clip(9000, 1, 16), { format, metadata: { title: "cut" } });
    const path = join(folder, `cut-${format}.audio`);
    for (const kept of [0, 3, 11, 20, 43, 60, 4000, bytes.length - 2]) {
      await writeFile(path, bytes.subarray(0, kept));
      await rejects(t, () => readAudio(path), "E_AUDIO", path);
    }
    for (let at = 0; at < 100; at += 7) {
      const damaged = Uint8Array.from(bytes);
      damaged[at] = (damaged[at] ?? 0) ^ 0xff;
      await writeFile(path, damaged);
      const outcome = await readAudio(path).catch((error: unknown) => error);
      t.true(!(outcome instanceof Error) || outcome instanceof MusicLDMError);
    }
  });
}

test("24-bit FLAC keeps its samples bit for bit", async (t) => {
  const path = join(folder, "wide.flac");
  const source = clip(20000, 2, 24);
  await writeAudio(path, source, { flacBits: 24 });
  t.deepEqual(await readAudio(path), source);
  t.is((await readAudioInfo(path)).bitDepth, 24);
});

test("a flipped bit in a FLAC frame is noticed", async (t) => {
  const bytes = await encodeAudio(clip(9000, 1, 16), { format: "flac" });
  const middle = bytes.length >> 1;
  bytes[middle] = (bytes[middle] ?? 0) ^ 1;
  const path = join(folder, "flipped.flac");
  await writeFile(path, bytes);
  await rejects(t, () => readAudio(path), "E_AUDIO", path);
});

test("16 bits round to nearest and clip", async (t) => {
  const path = join(folder, "clip.wav");
  const samples = Float32Array.of(2, -2, 1, 0.5 / 32768 + 1e-9, 0.4 / 32768);
  await writeAudio(path, { channels: [samples], sampleRate: 44100 });
  const { channels } = await readAudio(path);
  t.deepEqual(
    [...(channels[0] ?? [])].map((value) => value * 32768),
    [32767, -32768, 32767, 1, 0],
  );
});

test("downmix is the mean of the channels", (t) => {
  const channels = [Float32Array.of(1, 0), Float32Array.of(0, 0.5)];
  t.deepEqual(downmix({ channels, sampleRate: 1 }), Float32Array.of(0.5, 0.25));
});

test("a stream receives the same bytes as a file", async (t) => {
  const source = clip(300, 1, 16);
  const stream = new PassThrough();
  await writeAudioTo(stream, source);
  const expected = await encodeAudio(source, { format: "wav" });
  t.is(Buffer.compare(stream.read() as Buffer, expected), 0);
});

test("invalid clips and names are refused", async (t) => {
  const path = join(folder, "invalid.wav");
  const write =
    (channels: Float32Array[], sampleRate: number, name = path) =>
    () =>
      writeAudio(name, { channels, sampleRate });
  const code = async (run: () => Promise<void>) =>
    (await t.throwsAsync<MusicLDMError>(run, { instanceOf: MusicLDMError }))?.code;
  t.is(await code(write([], 16000)), "E_AUDIO");
  t.is(await code(write([new Float32Array(2), new Float32Array(3)], 16000)), "E_AUDIO");
  t.is(await code(write([new Float32Array(2)], 0)), "E_AUDIO");
  t.is(await code(write([Float32Array.of(NaN)], 16000)), "E_NONFINITE");
  t.is(await code(write([new Float32Array(2)], 16000, join(folder, "a.mp3"))), "E_AUDIO");
  t.is(await code(write([new Float32Array(2)], 12345, join(folder, "a.flac"))), "E_AUDIO");
});

test("failed writes give E_IO and leave nothing behind", async (t) => {
  const source = clip(300, 1, 16);
  await rejects(t, () => writeAudio("/dev/full", source, { format: "wav" }), "E_IO", "/dev/full");
  const absent = join(folder, "absent", "a.wav");
  await rejects(t, () => writeAudio(absent, source), "E_IO", absent);
  await rejects(t, () => readAudio(absent), "E_IO", absent);
  t.deepEqual(
    (await readdir(folder)).filter((name) => name.endsWith(".tmp")),
    [],
  );
  await writeAudio("/dev/null", source, { format: "wav" });
  t.is((await readFile("/dev/null")).length, 0);
});

test("a full disk gives E_IO and leaves nothing behind", async (t) => {
  const disk = await mkdtemp(join(folder, "disk-"));
  const mount = spawnSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", disk]);
  if (mount.status !== 0) return t.pass("mounting needs privileges");
  try {
    const probe = await writeFile(join(disk, "probe"), new Uint8Array(2 ** 18)).catch(() => null);
    if (probe === undefined) return t.pass("this kernel does not bound a tmpfs");
    await rm(join(disk, "probe"));
    const path = join(disk, "long.wav");
    await rejects(t, () => writeAudio(path, clip(163840, 1, 16)), "E_IO", path);
    t.deepEqual(await readdir(disk), []);
  } finally {
    spawnSync("umount", [disk]);
  }
});
