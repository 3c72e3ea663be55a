import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { writeAudio } from "../lib/audio/index.js";
import { clockTime } from "../lib/cli/search.js";
import { cli } from "./helpers/cli.js";
import { freshPath, makeClap, sine } from "./helpers/clap.js";

const model = await makeClap("debug");
const folder = freshPath("sounds");
const query = join(folder, "high.wav");

test.before(async () => {
  mkdirSync(join(folder, "deep"), { recursive: true });
  await writeAudio(query, { channels: [sine(3000, 1)], sampleRate: 48_000 });
  await writeAudio(join(folder, "deep", "low.wav"), {
    channels: [sine(100, 12, 16_000)],
    sampleRate: 16_000,
  });
  writeFileSync(join(folder, "broken.wav"), "RIFF and nothing else");
});

async function search(...args: readonly string[]) {
  const result = await cli(["search", ...args]);
  return { ...result, text: result.stdout.toString() };
}

interface Found {
  readonly index: string;
  readonly update: { readonly added: number; readonly unchanged: number } | null;
  readonly hits: readonly { readonly file: string; readonly path: string | null }[];
}

test.serial("a folder is indexed once, and searched by sound and by words", async (t) => {
  const first = await search(folder, "--audio", query, "--model", model);
  t.is(first.code, 0, first.stderr);
  t.regex(first.stderr, /index: 2 added/);
  t.regex(first.stderr, /warning: broken\.wav: /);
  t.true(existsSync(`${folder}.clap.duckdb`));
  const [best = ""] = first.text.split("\n");
  t.regex(best, /^ 1\.000 {2}high\.wav {5} 0:00\.0 – 0:01\.0 {2}█{30}$/);
  const second = await search(folder, "a bell", "--model", model, "--json", "--per-file", "1");
  t.is(second.code, 0, second.stderr);
  const found = JSON.parse(second.text) as Found;
  t.is(found.update?.added, 0);
  t.is(found.update?.unchanged, 2);
  t.deepEqual(found.hits.map(({ file }) => file).sort(), ["deep/low.wav", "high.wav"]);
  t.deepEqual(
    found.hits.map(({ path }) => path),
    found.hits.map(({ file }) => join(folder, file)),
  );
});

test.serial("a sound comes from standard input", async (t) => {
  const args = ["search", folder, "--audio", "-", "--model", model, "-q"];
  const { code, stdout, stderr } = await cli(args, readFileSync(query));
  t.is(code, 0, stderr);
  t.regex(stdout.toString(), /^ 1\.000 {2}high\.wav/);
});

test.serial("an index is searched as it is", async (t) => {
  const index = `${folder}.clap.duckdb`;
  const { code, text, stderr } = await search(index, "a bell", "--model", model, "--json", "-q");
  t.is(code, 0, stderr);
  const found = JSON.parse(text) as Found;
  t.is(found.update, null);
  t.is(found.index, index);
  t.true(found.hits.length > 0);
  const none = await search(index, "x", "--model", model, "--filter", "nothing/*");
  t.is(none.text, "nothing found\n");
});

test.serial("another model, and other windows, are refused", async (t) => {
  const other = await makeClap("debug", 2);
  const { code, stderr } = await search(folder, "x", "--model", other, "-q");
  t.is(code, 1);
  t.regex(stderr, /made with .*delete it.*E_CONFIG/s);
  const windows = await search(folder, "x", "--model", model, "--window", "2", "-q");
  t.is(windows.code, 1);
  t.regex(windows.stderr, /windowSeconds.*hint: leave the option out/s);
});

test("times are written as clocks do", (t) => {
  t.deepEqual([0, 9.96, 59.97, 61.25, 3599.99, 3600, 36061.5].map(clockTime), [
    "0:00.0",
    "0:10.0",
    "1:00.0",
    "1:01.3",
    "1:00:00.0",
    "1:00:00.0",
    "10:01:01.5",
  ]);
});

test("incomplete searches are usage errors", async (t) => {
  const refuses = async (part: RegExp, ...args: readonly string[]) => {
    const { code, stderr } = await search(...args);
    t.is(code, 2, stderr);
    t.regex(stderr, part);
  };
  await refuses(/index-or-folder/);
  await refuses(/words, or --audio/, folder, "--model", model);
  await refuses(/excludes/, folder, "x", "--audio", query, "--model", model);
  await refuses(/--model/, folder, "x");
  await refuses(/at least 1/, folder, "x", "--model", model, "--limit", "0");
  const absent = await search(join(folder, "absent"), "x", "--model", model);
  t.is(absent.code, 1);
  t.regex(absent.stderr, /E_IO/);
  const help = await search("--help");
  t.regex(help.text, /Examples:/);
});
