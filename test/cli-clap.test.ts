import { readFile } from "node:fs/promises";
import test from "ava";
import { writeAudio } from "../lib/audio/index.js";
import { readSafetensors } from "../lib/checkpoint/safetensors.js";
import type { VerifyReport } from "../lib/clap/verify/report.js";
import { cli } from "./helpers/cli.js";
import { freshPath, makeClap, sine, withSettings } from "./helpers/clap.js";
import { debugFolder } from "./helpers/model.js";

const model = await makeClap("debug");
const short = freshPath("short.wav");
const long = freshPath("long.wav");

test.before(async () => {
  await writeAudio(short, { channels: [sine(440, 1)], sampleRate: 48_000 });
  await writeAudio(long, { channels: [sine(300, 12, 16_000)], sampleRate: 16_000 });
});

interface Row {
  readonly kind: string;
  readonly name: string;
  readonly startSeconds?: number;
  readonly embedding: readonly number[];
}

async function run(...args: readonly string[]) {
  const result = await cli(args);
  return { ...result, text: result.stdout.toString() };
}

test.serial("init writes a CLAP", async (t) => {
  const folder = freshPath("init");
  const { code, text, stderr } = await run("init", folder, "--preset", "clap-debug-fused");
  t.is(code, 0, stderr);
  t.regex(text, /Wrote clap-debug-fused/);
  const verified = await run("verify", folder, "--quiet");
  t.is(verified.code, 0, verified.stderr);
});

test.serial("embed prints lines, or writes a file", async (t) => {
  const lines = await run("embed", model, short, long, "--text", "rain", "-q");
  t.is(lines.code, 0, lines.stderr);
  const rows = lines.text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Row);
  t.deepEqual(
    rows.map(({ kind, name }) => [kind, name]),
    [
      ["audio", short],
      ["audio", long],
      ["text", "rain"],
    ],
  );
  for (const { embedding } of rows) t.true(Math.abs(Math.hypot(...embedding) - 1) < 1e-5);
  const output = freshPath("x.safetensors");
  const timeline = ["embed", model, long, "--pool", "timeline", "--hop", "2", "-o", output];
  const { code, text, stderr } = await run(...timeline);
  t.is(code, 0, stderr);
  t.regex(text, /Wrote 2 embeddings/);
  using content = await readSafetensors(output);
  t.deepEqual(content.tensors["embeddings"]?.shape, [2, 64]);
  const names = JSON.parse(content.metadata["rows"] ?? "[]") as Row[];
  t.deepEqual(
    names.map(({ startSeconds }) => startSeconds),
    [0, 2],
  );
  const file = freshPath("x.jsonl");
  await run("embed", model, "--text", "rain", "-o", file, "-q");
  t.is((JSON.parse(await readFile(file, "utf8")) as Row).name, "rain");
});

test.serial("classify draws bars, or prints JSON", async (t) => {
  const args = ["classify", model, short, "--labels", "dog,rain,a car horn", "-q"];
  const { code, text, stderr } = await run(...args);
  t.is(code, 0, stderr);
  const rows = text.trimEnd().split("\n");
  t.is(rows.length, 3);
  for (const row of rows) t.regex(row, /^(dog|rain|a car horn) +\d+\.\d% [█▏▎▍▌▋▊▉]*$/);
  const json = await run(...args, "--json", "--top", "1", "--template", "hear {label}");
  const { items } = JSON.parse(json.text) as { items: { labels: { probability: number }[] }[] };
  t.is(items[0]?.labels.length, 1);
});

test.serial("verify tells by its exit code", async (t) => {
  const good = await run("verify", model);
  t.is(good.code, 0, good.stderr);
  t.regex(good.text, /✓ weights are finite/);
  t.regex(good.text, /The weights look random\./);
  const folder = withSettings(model, "preprocessor_config.json", { truncation: "fusion" });
  const bad = await run("verify", folder, "--json");
  t.is(bad.code, 1);
  const report = JSON.parse(bad.text) as VerifyReport;
  t.false(report.ok);
  t.is(report.checks.filter(({ ok }) => ok === false).length, 1);
});

test.serial("generate ranks its candidates", async (t) => {
  const quick = ["--seconds", "0.3", "--steps", "2", "--count", "2", "--seed", "1", "--json", "-q"];
  const output = freshPath("a.wav");
  const own = await run("generate", debugFolder, "bells", "--rerank", "-o", output, ...quick);
  t.is(own.code, 0, own.stderr);
  const { items } = JSON.parse(own.text) as { items: { score: number }[] };
  t.true(items[0]!.score >= items[1]!.score);
  const other = await run(
    ...["generate", debugFolder, "bells", "--rerank-by", model, "-o", output, ...quick],
  );
  t.is(other.code, 0, other.stderr);
});

test.serial("wrong usage is told", async (t) => {
  const wrong = [
    ["embed", model],
    ["embed", model, short, "-o", "x.npy"],
    ["classify", model, short],
    ["classify", model, short, "--labels", "a", "--template", "none"],
    ["embed", model, short, "--windows", "random"],
  ];
  for (const args of wrong) {
    const { code, stderr } = await run(...args, "-q");
    t.is(code, 2, `${args.join(" ")}: ${stderr}`);
    t.false(stderr.includes("    at "), stderr);
  }
  const late = await run("embed", model, short, "-o", freshPath("absent/x.jsonl"));
  t.is(late.code, 1);
  t.notRegex(late.stderr, /^audio /m, "refused before the work");
  const nowhere = await run("embed", model, "/nowhere.wav", "-q");
  t.is(nowhere.code, 1);
});
