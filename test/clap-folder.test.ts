import { cpSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { Checkpoint, clapOf, openClapFolder, openFolder } from "../lib/checkpoint/index.js";
import { readSafetensors, writeSafetensors } from "../lib/checkpoint/safetensors.js";
import { initClap } from "../lib/clap/init.js";
import { parseClapConfig } from "../lib/checkpoint/config/clap.js";
import { clapWeights } from "../lib/clap/initial-weights.js";
import { clapPresets } from "../lib/clap/presets.js";
import { MusicLDMError } from "../lib/runtime/errors.js";
import { memory } from "../lib/runtime/native.js";
import { freshPath, makeClap, withSettings } from "./helpers/clap.js";
import { debugFolder } from "./helpers/model.js";

const start = memory();
const debug = await makeClap("debug");

test.after.always("lifetime: no handle is left", (t) => {
  t.deepEqual(memory(), start);
});

test("the debug preset is a whole folder below a million weights", async (t) => {
  const folder = freshPath("init");
  const steps: number[] = [];
  const onProgress = ({ step }: { readonly step: number }) => steps.push(step);
  const result = await initClap({ preset: "debug", folder, seed: 3, onProgress });
  t.deepEqual(steps, [1, 2, 3, 4]);
  t.true(result.elements < 1_000_000, `${result.elements}`);
  t.regex(result.notice, /random/);
  const opened = await openClapFolder(folder);
  t.is(opened.config.audio.enable_fusion, false);
  t.is(opened.extractor.truncation, "rand_trunc");
});

test("the presets have the published numbers of parameters", (t) => {
  const count = (name: keyof typeof clapPresets, start = "") => {
    const { config } = parseClapConfig(clapPresets[name].model, "f", "ClapModel");
    const isBuffer = /_ids$|_index$|running_|num_batches/;
    return clapWeights(config)
      .filter((weight) => !isBuffer.test(weight.name) && weight.name.startsWith(start))
      .reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0);
  };
  // transformers' ClapModel for the configurations of laion/clap-htsat-unfused and -fused.
  t.is(count("htsat-tiny"), 153_492_890);
  t.is(count("htsat-tiny-fused"), 153_507_530);
  t.is(count("htsat-base"), 193_913_882);
});

test("shards are opened as one model", async (t) => {
  const folder = freshPath("shards");
  cpSync(debug, folder, { recursive: true });
  const file = join(folder, "model.safetensors");
  {
    using content = await readSafetensors(file);
    const parts = ["model-1.safetensors", "model-2.safetensors"] as const;
    const map: Record<string, string> = {};
    for (const [i, part] of parts.entries()) {
      const entries = Object.entries(content.tensors).filter((_, j) => j % 2 === i);
      for (const [name] of entries) map[name] = part;
      await writeSafetensors(join(folder, part), Object.fromEntries(entries));
    }
    const index = { metadata: {}, weight_map: map };
    writeFileSync(join(folder, "model.safetensors.index.json"), JSON.stringify(index));
  }
  rmSync(file);
  const { weights } = await openClapFolder(folder);
  t.is(weights.paths.length, 2);
  using checkpoint = await Checkpoint.open(weights.paths);
  t.true(checkpoint.has("logit_scale_a"));
});

test("a MusicLDM folder holds a CLAP", async (t) => {
  const opened = await openClapFolder(debugFolder);
  const { weights, tokenizer, config } = clapOf(await openFolder(debugFolder));
  t.deepEqual([opened.weights, opened.tokenizer, opened.config], [weights, tokenizer, config]);
  const error = await t.throwsAsync(openClapFolder("test/goldens/audioldm-tiny"));
  t.like(error, { code: "E_CHECKPOINT" });
  t.regex(String(error?.message), /audio tower.*laion\/clap-htsat-unfused/);
});

test("missing files are listed together, and wrong settings named with their file", async (t) => {
  const folder = freshPath("missing");
  cpSync(debug, folder, { recursive: true });
  for (const name of ["preprocessor_config.json", "tokenizer.json", "vocab.json"]) {
    rmSync(join(folder, name));
  }
  renameSync(join(folder, "model.safetensors"), join(folder, "model.fp16.safetensors"));
  const error = await t.throwsAsync(openClapFolder(folder), { instanceOf: MusicLDMError });
  t.is(error?.code, "E_CHECKPOINT");
  for (const name of ["model.safetensors", "preprocessor_config.json", "tokenizer.json"]) {
    t.true(error?.message.includes(join(folder, name)), error?.message);
  }
  t.regex(String(error?.message), /pass its variant/);
  const file = "preprocessor_config.json";
  const wrong = withSettings(debug, file, { feature_size: 80 });
  const mismatch = await t.throwsAsync(openClapFolder(wrong), { code: "E_CONFIG" });
  t.regex(String(mismatch?.message), /Expected 64, .*feature_size in .*received 80/);
  const order = withSettings(debug, file, { frequency_max: 10, frequency_min: 50 });
  await t.throwsAsync(openClapFolder(order), { code: "E_CONFIG" });
  await t.throwsAsync(openClapFolder(freshPath("nowhere")), { code: "E_IO" });
  const nothing = freshPath("x");
  await t.throwsAsync(initClap({ preset: "huge" as "debug", folder: nothing, seed: 1 }), {
    code: "E_ARGUMENT",
  });
  await t.throwsAsync(initClap({ preset: "debug", folder: nothing, seed: -1 }), {
    code: "E_ARGUMENT",
  });
  await t.throwsAsync(initClap({ preset: "debug", folder: debug, seed: 1 }), { code: "E_IO" });
  if (process.platform !== "linux") return;
  // Node's recursive mkdir never comes back from there.
  await t.throwsAsync(initClap({ preset: "debug", folder: "/proc/x", seed: 1 }), { code: "E_IO" });
});
