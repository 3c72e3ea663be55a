import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import test from "ava";
import { readAudio, readAudioMetadata, writeAudio } from "../lib/audio/index.js";
import { initPretrained } from "../lib/musicldm/init.js";
import { qualities } from "../lib/musicldm/quality.js";
import { cli, endOf, startCli } from "./helpers/cli.js";

const folder = await mkdtemp(join(tmpdir(), "musicldm-cli-"));
const model = join(folder, "model");
const quick = ["--seconds", "0.5", "--steps", "2", "--quiet"];

test.before(() => initPretrained({ preset: "debug", folder: model, seed: 1 }));

test.serial("generate writes files whose settings inspect reads back", async (t) => {
  const output = join(folder, "several", "{index}.flac");
  const args = ["generate", model, "bells 🔔", "drums", "--seed", "5", "--count", "2"];
  const { code, stdout, stderr } = await cli([...args, "-o", output, ...quick, "--json"]);
  t.is(code, 0, stderr);
  const report = JSON.parse(stdout.toString()) as { items: readonly { path: string }[] };
  t.is(report.items.length, 4);
  const last = report.items[3]?.path ?? "";
  const inspected = await cli(["inspect", last, "--json"]);
  const { metadata } = JSON.parse(inspected.stdout.toString()) as {
    metadata: { title: string; settings: Record<string, unknown> };
  };
  t.is(metadata.title, "drums");
  t.like(metadata.settings, { prompt: "drums", seed: 8, steps: 2, seconds: 0.5, guidanceScale: 2 });
  t.regex(String(metadata.settings["weightsHash"]), /^[0-9a-f]{64}$/);
});

test.serial("generate takes a preset and savings", async (t) => {
  const output = join(folder, "saved.wav");
  const args = ["generate", model, "x", "--quality", "draft", "--deep-cache", "2:1", "-o", output];
  const { code, stderr, stdout } = await cli([
    ...[...args, "--guidance-interval", "20:0.5"],
    ...["--seconds", "0.2", "--quiet", "--json"],
  ]);
  t.is(code, 0, stderr);
  const { settings } = JSON.parse(stdout.toString()) as { settings: Record<string, unknown> };
  t.is(settings["steps"], qualities.draft.steps);
  t.deepEqual(settings["guidanceInterval"], [20, 0.5]);
  t.deepEqual(settings["deepCache"], { interval: 2, branch: 1 });
});

test.serial("an item of several equals the item alone", async (t) => {
  const alone = join(folder, "alone.wav");
  const { code, stderr } = await cli([
    ...["generate", "--model", model, "drums", "--seed", "8", "-o", alone, "--format", "wav-float"],
    ...quick,
  ]);
  t.is(code, 0, stderr);
  const [one] = (await readAudio(alone)).channels;
  const [other] = (await readAudio(join(folder, "several", "4.flac"))).channels;
  const worst = one?.reduce((most, v, i) => Math.max(most, Math.abs(v - (other?.[i] ?? NaN))), 0);
  t.true(worst !== undefined && worst <= 1 / 32768, `${worst}`);
});

test.serial("saved tensors hold latents, mel and waveform; latents come back in", async (t) => {
  const file = join(folder, "kept.safetensors");
  const output = join(folder, "kept.wav");
  const args = ["generate", model, "x", "--seed", "1", "-o", output, "--save-latents", file];
  const { code, stderr } = await cli([...args, ...quick]);
  t.is(code, 0, stderr);
  const { stdout } = await cli(["inspect", file, "--json", "--tensors"]);
  const { components } = JSON.parse(stdout.toString()) as {
    components: readonly { entries: readonly { name: string; shape: readonly number[] }[] }[];
  };
  const shapes = Object.fromEntries(
    (components[0]?.entries ?? []).map(({ name, shape }) => [name, shape]),
  );
  t.deepEqual(Object.keys(shapes).sort(), ["latents", "mel", "waveform"]);
  t.deepEqual(shapes["waveform"], [1, 8000]);
  const again = await cli([
    ...["generate", model, "x", "--latents", file, "-o", join(folder, "again.wav")],
    ...quick,
  ]);
  t.is(again.code, 0, again.stderr);
});

test.serial("edit varies, fills in and continues a clip of another rate", async (t) => {
  const source = join(folder, "source.wav");
  const tone = Float32Array.from({ length: 22050 }, (_, i) => 0.3 * Math.sin(i / 20));
  await writeAudio(source, { channels: [tone, tone], sampleRate: 44100 });
  const cases = [
    ["--strength", "0.5"],
    ["--mask", "0.1:0.2"],
    ["--seconds", "0.8"],
  ];
  for (const [index, change] of cases.entries()) {
    const output = join(folder, `edit-${index}.wav`);
    const args = ["generate", model, "x", "--audio", source, ...change, "-o", output];
    const { code, stderr } = await cli([...args, "--steps", "2", "-q"]);
    t.is(code, 0, stderr);
    const clip = await readAudio(output);
    t.is(clip.channels[0]?.length, index === 2 ? 12800 : 8000);
    t.is((await readAudioMetadata(output)).settings?.["audio"], source);
  }
});

test.serial("prompts come from a file, the clip goes to standard output", async (t) => {
  const args = ["generate", model, "--prompts-file", "-", "--seed", "3", "-o", "-", ...quick];
  const { code, stdout, stderr } = await cli(args, "\n  one prompt \r\n\n");
  t.is(code, 0, stderr);
  t.is(stdout.subarray(0, 4).toString(), "RIFF");
  const path = join(folder, "stdout.wav");
  await writeFile(path, stdout);
  t.is((await readAudioMetadata(path)).title, "one prompt");
});

test.serial("progress is plain lines on standard error without a terminal", async (t) => {
  const output = join(folder, "progress.wav");
  const args = ["generate", model, "x", "--seconds", "0.5", "--steps", "2", "-o", output];
  const { code, stderr } = await cli(args);
  t.is(code, 0, stderr);
  t.regex(stderr, /denoise 2\/2/);
  t.false(stderr.includes("\u001b"));
});

for (const [signal, expected] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const) {
  test.serial(`${signal} ends a run with ${expected} and no file`, async (t) => {
    const path = join(folder, `${signal}.wav`);
    const child = startCli("generate", model, "x", "--steps", "1000", "-o", path);
    const ended = endOf(child);
    await once(child.stderr, "data");
    const sentAt = performance.now();
    child.kill(signal);
    const { code, stderr } = await ended;
    t.is(code, expected, stderr);
    t.log(`ended ${(performance.now() - sentAt).toFixed(0)} ms after the signal`);
    t.true(stderr.endsWith("interrupted\n"), stderr);
    t.false((await readdir(folder)).some((name) => name.includes(signal)));
  });
}

test.serial("a closed pipe ends quietly", async (t) => {
  const run = `"${process.execPath}" --import tsx lib/cli/main.ts inspect "${model}" --tensors`;
  const script = `${run} | head -n 1; echo "code \${PIPESTATUS[0]}"`;
  const { stdout, stderr } = await promisify(execFile)("bash", ["-c", script]);
  t.regex(stdout, /^model MusicLDMPipeline.*\ncode (0|141)\n$/);
  t.is(stderr, "");
});

test.serial("a full device gives E_IO", async (t) => {
  const args = ["generate", model, "x", "-o", "/dev/full", "--format", "wav", ...quick];
  const { code, stderr } = await cli(args);
  t.is(code, 1);
  t.regex(stderr, /^error: .*\/dev\/full.*\[E_IO\]\nhint: /);
});

test.serial("init refuses a folder that is not empty, doctor reports", async (t) => {
  const before = await readFile(join(model, "model_index.json"), "utf8");
  const { code, stderr } = await cli(["init", model, "-q"]);
  t.not(code, 0, stderr);
  t.is(await readFile(join(model, "model_index.json"), "utf8"), before);
  const doctor = await cli(["doctor", "--json"]);
  t.is(doctor.code, 0);
  t.true((JSON.parse(doctor.stdout.toString()) as { ok: boolean }).ok);
});
