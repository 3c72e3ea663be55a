import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import type { ExecutionContext } from "ava";
import { chooseFormat, nameOutputs, slug } from "../lib/cli/names.js";
import { collectSpan, parseCount, parseInteger, parseNumber, parseSeed } from "../lib/cli/parse.js";
import { parseDeepCache, parseInterval } from "../lib/cli/parse.js";
import { cli } from "./helpers/cli.js";

const folder = await mkdtemp(join(tmpdir(), "musicldm-usage-"));

/** Run and expect a usage error whose message has all those parts. */
async function refuses(t: ExecutionContext, args: readonly string[], ...parts: readonly string[]) {
  const { code, stdout, stderr } = await cli(args);
  t.is(code, 2, `${args.join(" ")}: ${stderr}`);
  t.is(stdout.length, 0);
  for (const part of parts) t.true(stderr.includes(part), `${part} in ${stderr}`);
  t.false(stderr.includes("    at "), stderr);
}

test("numbers are parsed strictly", (t) => {
  t.deepEqual(["1", "-1.5", ".5", "2e-3", "+4."].map(parseNumber), [1, -1.5, 0.5, 0.002, 4]);
  for (const text of ["", " ", "3x", "x3", "NaN", "Infinity", "1e999", "0x10", "1,5", "1 2"]) {
    t.throws(() => parseNumber(text), { message: /finite number/ }, text);
  }
  t.deepEqual(["0", "9007199254740991"].map(parseInteger), [0, Number.MAX_SAFE_INTEGER]);
  for (const text of ["", "-1", "1.5", "1e3", "9007199254740992"]) {
    t.throws(() => parseInteger(text), { message: /integer in 0/ }, text);
  }
  t.throws(() => parseCount("0"), { message: /at least 1/ });
  t.deepEqual([parseSeed("7"), parseSeed("7,8")], [7, [7, 8]]);
  t.throws(() => parseSeed("7,"));
});

test("spans are parsed strictly and gathered", (t) => {
  const one = collectSpan("2:3.5");
  t.deepEqual(collectSpan("0:1", one), [
    { startSeconds: 2, endSeconds: 3.5 },
    { startSeconds: 0, endSeconds: 1 },
  ]);
  for (const text of ["", "1", "1:", "2:1", "1:1", "-1:2", "1:2:3", "a:b"]) {
    t.throws(() => collectSpan(text), undefined, text);
  }
});

test("savings are parsed strictly", (t) => {
  t.deepEqual(
    [parseInterval("5.4:0.3"), parseInterval("1:0")],
    [
      [5.4, 0.3],
      [1, 0],
    ],
  );
  for (const text of ["", "1", "1:", "1:2", "1:1", "1:-1", "3:2:1", "a:b"]) {
    t.throws(() => parseInterval(text), undefined, text);
  }
  t.deepEqual(["3", "3:0"].map(parseDeepCache), [{ interval: 3 }, { interval: 3, branch: 0 }]);
  for (const text of ["", "0", "3:", "3:-1", "3:1:1", "1.5", "x"]) {
    t.throws(() => parseDeepCache(text), undefined, text);
  }
});

test("files are named after patterns, folders and numbers", (t) => {
  const items = [
    { prompt: "Über-Jazz & Funk!", seed: 3 },
    { prompt: "🎵", seed: 4 },
  ];
  t.is(slug("x".repeat(100)).length, 40);
  t.deepEqual(nameOutputs(undefined, items, "flac"), ["über-jazz-funk-3.flac", "untitled-4.flac"]);
  t.deepEqual(nameOutputs("a.wav", items, "wav"), ["a-1.wav", "a-2.wav"]);
  t.deepEqual(nameOutputs("a/", items.slice(0, 1), "wav"), ["a/über-jazz-funk-3.wav"]);
  t.deepEqual(nameOutputs("{index}-{seed}.wav", items, "wav"), ["1-3.wav", "2-4.wav"]);
  t.is(chooseFormat("a.FLAC"), "flac");
  t.is(chooseFormat("a.wav", "wav-float"), "wav-float");
  t.is(chooseFormat(undefined), "wav");
  t.throws(() => chooseFormat("a.mp3"), { message: /\.mp3/ });
  t.throws(() => chooseFormat("a.flac", "wav"), { message: /disagrees/ });
});

test("help teaches with examples and ends with 0", async (t) => {
  for (const args of [["--help"], ["generate", "--help"], ["inspect", "--help"], ["help"]]) {
    const { code, stdout, stderr } = await cli(args);
    t.is(code, 0, stderr);
    t.true(/Examples|First steps/.test(stdout.toString()));
  }
  const { code, stdout } = await cli(["--version"]);
  t.is(code, 0);
  const { version } = JSON.parse(await readFile("package.json", "utf8")) as { version: string };
  t.is(stdout.toString(), `${version}\n`);
});

test("unknown and incomplete commands are usage errors", async (t) => {
  await refuses(t, [], "Usage:");
  await refuses(t, ["generat"], "generate");
  await refuses(t, ["generate"], "model folder");
  await refuses(t, ["generate", "folder"], "at least one prompt");
  await refuses(t, ["generate", "folder", "x", "--nonsense"], "--nonsense");
  await refuses(t, ["init"], "folder");
  await refuses(t, ["init", "x", "--preset", "huge"], "musicldm");
});

test("options beyond their limits are usage errors with the range", async (t) => {
  const generate = (...args: readonly string[]) => ["generate", "folder", "x", ...args];
  await refuses(t, generate("--steps", "3x"), "3x");
  await refuses(t, generate("--steps", "1001"), "1..1000", "1001");
  await refuses(t, generate("--guidance-scale", "-1"), "0..100", "-1");
  await refuses(t, generate("--eta", "1.5"), "0..1", "1.5");
  await refuses(t, generate("--scheduler", "best"), "dpmsolver++");
  await refuses(t, generate("--device", "gpu"), "cuda:N");
  await refuses(t, generate("--quality", "best"), "draft, standard, reference");
  await refuses(t, generate("--guidance-interval", "1:2"), "HIGH:LOW", "1:2");
  await refuses(t, generate("--deep-cache", "1001"), "1..1000", "deepCache.interval");
  await refuses(t, generate("--seconds", "NaN"), "finite number");
});

test("options that exclude each other are usage errors", async (t) => {
  const generate = (...args: readonly string[]) => ["generate", "folder", "x", ...args];
  await refuses(t, generate("--strength", "0.5"), "--audio");
  await refuses(t, generate("--audio", "a.wav", "--loop"), "--loop");
  await refuses(t, generate("--audio", "a.wav"), "strength, mask or seconds");
  await refuses(t, generate("-o", "-", "--json"), "--json");
  await refuses(t, generate("-o", "-", "--count", "2"), "one item");
  await refuses(t, generate("-o", "a.mp3"), ".mp3");
  await refuses(t, generate("--output-kind", "mel"), "--output");
  const taken = join(folder, "taken.wav");
  await writeFile(taken, "");
  await refuses(t, generate("-o", taken, "--no-overwrite"), "exists");
});

test("inspect describes audio of any format", async (t) => {
  const path = "test/fixtures/audio/music.mp3";
  const text = (await cli(["inspect", path])).stdout.toString();
  t.regex(text, /^mp3, mp3: 44100 Hz, 2 channels, 0\.500 s\ntitle +Příliš žluťoučký\n/);
  const json: unknown = JSON.parse((await cli(["inspect", path, "--json"])).stdout.toString());
  t.like(json, { codec: "mp3", seconds: 0.5 });
});

test("inspect does not wait for the writer of a pipe", async (t) => {
  const pipe = join(folder, "pipe.wav");
  execFileSync("mkfifo", [pipe]);
  const { code, stderr } = await cli(["inspect", pipe]);
  t.is(code, 1);
  t.regex(stderr, /E_IO/);
});

test("failures name their code and what to do next", async (t) => {
  const absent = await cli(["inspect", join(folder, "absent")]);
  t.is(absent.code, 1);
  t.regex(absent.stderr, /^error: .*\[E_IO\]\nhint: /);
  const audio = join(folder, "broken.wav");
  await writeFile(audio, "RIFF");
  const broken = await cli(["inspect", audio]);
  t.is(broken.code, 1);
  t.regex(broken.stderr, /broken\.wav.*\[E_AUDIO\]\nhint: /);
  const verbose = await cli(["inspect", audio, "--verbose"]);
  t.true(verbose.stderr.includes("    at "));
});
