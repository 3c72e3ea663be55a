import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { parseClapAudio } from "../lib/checkpoint/config/clap-audio.js";
import { parseClapText } from "../lib/checkpoint/config/clap-text.js";
import { writeSafetensors } from "../lib/checkpoint/safetensors.js";
import { AudioTower } from "../lib/clap/audio-tower.js";
import { writeByteTokenizer } from "../lib/clap/byte-tokenizer.js";
import { Clap } from "../lib/clap/clap.js";
import { clapPresets } from "../lib/clap/presets.js";
import { TextTower } from "../lib/clap/text-tower.js";
import { memory } from "../lib/runtime/native.js";
import { Tensor } from "../lib/tensor/tensor.js";
import { freshPath, furthest, makeClap } from "./helpers/clap.js";
import { goldenWave } from "./helpers/waveform.js";

const start = memory();

test.after.always("lifetime: no handle is left", (t) => {
  t.deepEqual(memory(), start);
});

/** Write a CLAP that hears by a PANN, drawn by its own towers. */
async function makePann(): Promise<string> {
  const { model, extractor } = clapPresets.debug;
  const audio = { model_type: "pann", arch: "cnn6", projection_dim: 64 };
  const folder = freshPath("pann");
  mkdirSync(folder);
  const json = { ...model, audio_config: audio };
  writeFileSync(join(folder, "config.json"), JSON.stringify(json));
  writeFileSync(join(folder, "preprocessor_config.json"), JSON.stringify(extractor));
  await writeByteTokenizer(folder);
  using hearing = await AudioTower.create(parseClapAudio(audio, "audio").config);
  using reading = await TextTower.create(parseClapText(model.text_config, "text").config);
  await hearing.initialise(1);
  await reading.initialise(2);
  const tensors: Record<string, Tensor> = {
    ...(await hearing.state()),
    ...(await reading.state()),
    logit_scale_a: await Tensor.full([], 2.66),
    logit_scale_t: await Tensor.full([], 2.66),
  };
  await writeSafetensors(join(folder, "model.safetensors"), tensors);
  for (const tensor of Object.values(tensors)) tensor.dispose();
  return folder;
}

test.serial("a PANN hears, classifies and is verified as an HTSAT is", async (t) => {
  using clap = await Clap.fromPretrained(await makePann());
  t.false(clap.isFused);
  const waves = [goldenWave(1), goldenWave(12)];
  const rows = await clap.embedAudio(waves);
  for (const [i, wave] of waves.entries()) {
    const [alone] = await clap.embedAudio([wave]);
    t.true(furthest(alone!, rows[i]!) <= 1e-6);
  }
  const ranked = await clap.classify(waves[0]!, ["dog", "rain"]);
  t.is(ranked.length, 2);
  const { ok, checks } = await clap.verify();
  t.true(ok, checks.map(({ ok: one, name }) => `${String(one)} ${name}`).join("; "));
});

test.serial("half precision stays near single precision", async (t) => {
  const folder = await makeClap("debug");
  const wave = goldenWave(3);
  const embed = async (dtype: "float32" | "bfloat16" | "float16") => {
    using clap = await Clap.fromPretrained(folder, { dtype });
    return [...(await clap.embedAudio([wave])), ...(await clap.embedText(["rain"]))];
  };
  const exact = await embed("float32");
  for (const dtype of ["bfloat16", "float16"] as const) {
    const rows = await embed(dtype);
    for (const [i, row] of rows.entries()) {
      const distance = furthest(row, exact[i]!);
      t.log(`${dtype} ${i}: ${distance.toExponential(1)} of 0.05`);
      // Eight bits of mantissa through a dozen layers.
      t.true(distance <= 0.05, `${distance}`);
    }
  }
});
