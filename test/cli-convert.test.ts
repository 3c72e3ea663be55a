import { mkdtemp, readFile, readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { collectSetting } from "../lib/cli/convert.js";
import type { ConvertResult } from "../lib/musicldm/convert/types.js";
import { cli } from "./helpers/cli.js";
import { assertSameTensors, writeSide } from "./helpers/conversion.js";

const root = await mkdtemp(join(tmpdir(), "musicldm-cli-convert-"));
const input = join(root, "laion.pt.safetensors");
const folder = join(root, "clap");
const heads = ["--set", "text.num_attention_heads=3"];

test.before(() => writeSide("conversion-clap-unfused", "original.", input));

test("settings are parsed strictly and gathered", (t) => {
  const one = collectSetting("unet.norm_num_groups=4");
  t.deepEqual(collectSetting("vocoder.upsample_rates=[8,8]", one), {
    unet: { norm_num_groups: 4 },
    vocoder: { upsample_rates: [8, 8] },
  });
  t.deepEqual(collectSetting("unet.act_fn=silu", one).unet, {
    norm_num_groups: 4,
    act_fn: "silu",
  });
  for (const text of ["", "unet", "unet.x", "unet.=1", "net.x=1", "unet.x=", "x"]) {
    t.throws(() => collectSetting(text), { message: /PART\.KEY=VALUE/ }, text);
  }
});

test.serial("convert writes a folder and says what it found", async (t) => {
  const { code, stdout, stderr } = await cli(["convert", input, folder, ...heads]);
  t.is(code, 0, stderr);
  const text = stdout.toString();
  for (const part of ["laion_clap", "spec_size = 64", "tscam_conv", "no tokenizer", "kept under"]) {
    t.true(text.includes(part), `${part} in ${text}`);
  }
  t.true((await readdir(folder)).includes("model.safetensors"));
});

test.serial("convert goes back, as JSON", async (t) => {
  const back = join(root, "back.safetensors");
  const { code, stdout, stderr } = await cli(["convert", folder, back, "--to", "laion", "--json"]);
  t.is(code, 0, stderr);
  const result = JSON.parse(stdout.toString()) as ConvertResult;
  t.like(result, { layout: "huggingface", kind: "clap", to: "laion" });
  t.is(result.dropped.length, 2);
  await assertSameTensors(t, back, input);
});

test.serial("half precision without what has no place", async (t) => {
  const output = join(root, "half");
  const args = ["convert", input, output, ...heads, "--dtype", "float16", "--no-keep", "--json"];
  const { code, stdout, stderr } = await cli(args);
  t.is(code, 0, stderr);
  const { kept, dropped } = JSON.parse(stdout.toString()) as ConvertResult;
  t.deepEqual(kept, []);
  t.true(dropped.some((name) => name.includes("tscam_conv")));
  const bytes = await readFile(join(output, "model.safetensors"));
  t.true(bytes.includes('"F16"') && !bytes.includes('"F32"'));
});

test.serial("wrong usage and failures have their own exit codes", async (t) => {
  const usage = await cli(["convert", input, join(root, "x"), "--to", "onnx"]);
  t.is(usage.code, 2, usage.stderr);
  const setting = await cli(["convert", input, join(root, "x"), "--set", "x=1"]);
  t.is(setting.code, 2, setting.stderr);
  const occupied = await cli(["convert", input, folder, ...heads]);
  t.is(occupied.code, 1, occupied.stderr);
  t.true(occupied.stderr.includes("force"), occupied.stderr);
  const help = await cli(["convert", "--help"]);
  t.is(help.code, 0);
  t.true(help.stdout.toString().includes("--set"));
});
