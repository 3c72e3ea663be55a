import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { MusicLDM } from "../lib/musicldm/musicldm.js";
import type { LoadOptions } from "../lib/musicldm/types.js";
import { loadCuda } from "../lib/runtime/loader.js";
import { Tensor } from "../lib/tensor/tensor.js";
import {
  assertNothingLeft,
  changedFolder,
  debugFolder,
  distance,
  openDebug,
} from "./helpers/model.js";
import { declareLifetimeTest } from "./helpers/tensor-ops.js";

declareLifetimeTest();

const clip = { prompt: "a", seconds: 0.2, steps: 4, seed: 1 } as const;

async function resultOf(options: LoadOptions) {
  using model = await openDebug(options);
  const result = await model.generate({ ...clip, intermediates: true });
  using latents = result.latents!;
  result.mel!.dispose();
  const { dtype } = latents;
  return { dtype, latents: await latents.floats(), waveform: result.waveforms[0]! };
}

for (const [dtype, limit] of [
  // About 16 half units in the last place, 2^-9 and 2^-12: they add up over layers and steps.
  ["bfloat16", 2 ** -5],
  ["float16", 2 ** -8],
] as const) {
  test.serial(`${dtype} comes near float32`, async (t) => {
    const wanted = await resultOf({});
    const actual = await resultOf({ dtype });
    t.is(actual.dtype, "float32");
    t.true(actual.waveform.every(Number.isFinite));
    const norm = distance(actual.latents, wanted.latents);
    const heard = distance(actual.waveform, wanted.waveform);
    t.log(`latents ${norm.toExponential(1)} of ${limit}, waveform ${heard.toExponential(1)}`);
    t.true(norm < limit && norm > 0);
  });

  test.serial(`${dtype} keeps the source outside a mask`, async (t) => {
    using model = await openDebug({ dtype });
    const samples = Float32Array.from({ length: 6400 }, (_, i) => Math.sin(i / 9));
    const audio = { samples, sampleRate: model.sampleRate };
    using latents = await model.encodeAudio(audio);
    t.is(latents.dtype, "float32");
    const mask = [{ startSeconds: 0.1, endSeconds: 0.2 }];
    const edited = await model.edit({ ...clip, seconds: 0.4, audio, mask, output: "latent" });
    using kept = await edited.latents!.slice(2, 5, 10);
    using source = await latents.slice(2, 5, 10);
    t.deepEqual(await kept.floats(), await source.floats());
    edited.latents!.dispose();
  });
}

test.serial("the trained head count loads, and differs", async (t) => {
  const config = await resultOf({ attentionHeads: "config" });
  const trained = await resultOf({ attentionHeads: "trained" });
  t.deepEqual((await resultOf({})).waveform, config.waveform);
  t.true(distance(trained.latents, config.latents) > 1e-4);
});

/** Copy the folder with another UNet config. */
async function configured(change: object): Promise<string> {
  const folder = await changedFolder("unet", "conv_out.bias", async (bias) => bias.clone());
  const file = join(folder, "unet", "config.json");
  const config = JSON.parse(await readFile(file, "utf8")) as object;
  await writeFile(file, JSON.stringify({ ...config, ...change }));
  return folder;
}

test.serial("widths that are no multiple of the trained heads", async (t) => {
  const widths = [16, 48, 32, 32];
  const folder = await configured({ block_out_channels: widths, cross_attention_dim: widths });
  const options = { attentionHeads: "trained" } as const;
  const error = await t.throwsAsync(MusicLDM.fromPretrained(folder, options), { code: "E_CONFIG" });
  t.log(error?.message);
  t.regex(error?.message ?? "", /divisor of 48 channels for the head count/);
});

test.serial("a device that is not there is no other device in silence", async (t) => {
  if (loadCuda().available) return t.pass("there is one");
  for (const device of ["cuda", "cuda:0", "cuda:7"]) {
    const open = MusicLDM.fromPretrained(debugFolder, { device });
    await t.throwsAsync(open, { code: "E_NO_CUDA", message: /CUDA/ });
    await t.throwsAsync(Tensor.zeros([1], { device }), { code: "E_NO_CUDA" });
  }
});

test.serial("invalid input", async (t) => {
  const bad = async (options: object, code: string, message: RegExp) =>
    assertNothingLeft(t, async () =>
      t.throwsAsync(MusicLDM.fromPretrained(debugFolder, options), { code, message }),
    );
  await bad({ dtype: "int64" }, "E_ARGUMENT", /for dtype/);
  await bad({ dtype: "float64" }, "E_ARGUMENT", /for dtype/);
  await bad({ dtype: null }, "E_ARGUMENT", /for dtype/);
  await bad({ attentionHeads: 4 }, "E_ARGUMENT", /for attentionHeads/);
  for (const device of ["gpu", "cuda:", "cuda:x", "cuda:-1", "CPU", "", "meta", 0, null]) {
    await bad({ device }, "E_ARGUMENT", /for device/);
  }
  await bad({ dtyp: "float16" }, "E_ARGUMENT", /dtyp/);
  await bad({ signal: AbortSignal.abort() }, "E_ABORTED", /aborted/);
  for (const folder of ["", undefined, 1]) {
    const open = MusicLDM.fromPretrained(folder as string);
    await t.throwsAsync(open, { code: "E_ARGUMENT", message: /folder/ });
  }
  await t.throwsAsync(MusicLDM.fromPretrained(join(debugFolder, "none")), { code: "E_IO" });
  const folder = await configured({});
  const scheduler = join(folder, "scheduler", "scheduler_config.json");
  await writeFile(scheduler, "{");
  await t.throwsAsync(MusicLDM.fromPretrained(folder), { code: "E_CONFIG" });
  await rm(scheduler);
  const error = await t.throwsAsync(MusicLDM.fromPretrained(folder), { code: "E_CHECKPOINT" });
  t.regex(error?.message ?? "", /scheduler_config\.json/);
});
