import { cp, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import {
  Checkpoint,
  inspectCheckpoint,
  openFolder,
  openWeights,
  weightsHash,
  writeSafetensors,
} from "../lib/checkpoint/index.js";
import { memory } from "../lib/runtime/native.js";
import type { Tensor } from "../lib/tensor/tensor.js";
import { asRoberta } from "./helpers/text-tower.js";

const golden = "test/goldens/musicldm-tiny";
const root = await mkdtemp(join(tmpdir(), "musicldm-folder-"));
const start = memory();
let copies = 0;

test.after.always("lifetime: no handle is left", async (t) => {
  await rm(root, { recursive: true, force: true });
  t.deepEqual(memory(), start);
});

/** A copy of the tiny folder to damage. */
async function copy(): Promise<string> {
  const folder = join(root, `copy${copies++}`);
  await cp(golden, folder, { recursive: true });
  return folder;
}

async function changeJson(path: string, change: (json: Record<string, unknown>) => void) {
  const json = JSON.parse(await readFile(path, "utf8")) as Record<string, unknown>;
  change(json);
  await writeFile(path, JSON.stringify(json));
}

test.serial("folders written by diffusers open", async (t) => {
  const musicldm = await openFolder(golden);
  t.is(musicldm.pipeline, "MusicLDMPipeline");
  t.is(musicldm.textEncoder.className, "ClapModel");
  t.deepEqual(musicldm.unet.config.block_out_channels, [8, 8, 12, 16]);
  t.is(asRoberta(musicldm.textEncoder.config.text).layer_norm_eps, 1e-5);
  t.is(musicldm.extractor?.truncation, "rand_trunc");
  t.is(musicldm.scheduler["_class_name"], "DDIMScheduler");
  const audioldm = await openFolder("test/goldens/audioldm-tiny");
  t.is(audioldm.pipeline, "AudioLDMPipeline");
  t.is(audioldm.textEncoder.className, "ClapTextModelWithProjection");
  t.is(audioldm.textEncoder.config.audio, null);
  t.is(audioldm.extractor, null);
});

test.serial("infinities as Python writes them are read", async (t) => {
  const folder = await copy();
  const file = join(folder, "scheduler", "scheduler_config.json");
  const text = await readFile(file, "utf8");
  await writeFile(file, text.replace("{", '{ "lambda_min_clipped": -Infinity, "note": "NaN",'));
  const { scheduler } = await openFolder(folder);
  t.is(scheduler["lambda_min_clipped"], -Infinity);
  t.is(scheduler["note"], "NaN");
});

test.serial("all missing files are listed at once", async (t) => {
  const folder = await copy();
  const gone = [
    "vae/config.json",
    "vocoder/model.safetensors",
    "scheduler/scheduler_config.json",
    "feature_extractor/preprocessor_config.json",
  ];
  for (const name of gone) await rm(join(folder, name));
  await rm(join(folder, "tokenizer"), { recursive: true });
  const error = await t.throwsAsync(openFolder(folder), { code: "E_CHECKPOINT" });
  for (const name of [...gone, "tokenizer/vocab.json"]) t.true(error?.message.includes(name));
});

test.serial("pickled weights alone, or a variant, say what to do", async (t) => {
  const folder = await copy();
  const unet = join(folder, "unet", "diffusion_pytorch_model");
  await rename(`${unet}.safetensors`, `${unet}.fp16.safetensors`);
  const vae = join(folder, "vae", "diffusion_pytorch_model");
  await rename(`${vae}.safetensors`, `${vae}.ckpt`);
  const error = await t.throwsAsync(openFolder(folder), { code: "E_CHECKPOINT" });
  t.regex(error?.message ?? "", /fp16\.safetensors is there: pass its variant/);
  t.regex(error?.message ?? "", /only .*\.ckpt is there: convert it to this layout first/);
});

test.serial("a variant opens by name", async (t) => {
  const folder = await copy();
  for (const [part, stem] of [
    ["unet", "diffusion_pytorch_model"],
    ["vae", "diffusion_pytorch_model"],
    ["vocoder", "model"],
    ["text_encoder", "model"],
  ] as const) {
    const path = join(folder, part, stem);
    await rename(`${path}.safetensors`, `${path}.fp16.safetensors`);
  }
  const { unet } = await openFolder(folder, { variant: "fp16" });
  t.regex(unet.weights.paths[0] ?? "", /fp16/);
});

/** Replace the UNet's file by two shards and an index; returns the index's path. */
async function shard(folder: string): Promise<string> {
  const base = join(folder, "unet", "diffusion_pytorch_model");
  const names = ["-00001-of-00002", "-00002-of-00002"].map((end) => `${base}${end}.safetensors`);
  const whole = await Checkpoint.open(`${base}.safetensors`);
  const weightMap: Record<string, string> = {};
  for (const [half, path] of names.entries()) {
    const tensors: Record<string, Tensor> = {};
    for (const { name } of whole.entries.filter((_, i) => i % 2 === half)) {
      tensors[name] = await whole.tensor(name);
      weightMap[name] = path.slice(join(folder, "unet").length + 1);
    }
    await writeSafetensors(path, tensors, { format: "pt" });
    for (const tensor of Object.values(tensors)) tensor.dispose();
  }
  whole.dispose();
  await rm(`${base}.safetensors`);
  const index = `${base}.safetensors.index.json`;
  await writeFile(index, JSON.stringify({ metadata: {}, weight_map: weightMap }));
  return index;
}

test.serial("shards hold the same weights as one file", async (t) => {
  const folder = await copy();
  await shard(folder);
  const opened = await openFolder(folder);
  t.is(opened.unet.weights.paths.length, 2);
  using weights = await openWeights(opened.unet.weights);
  using whole = await Checkpoint.open(join(golden, "unet/diffusion_pytorch_model.safetensors"));
  t.is(weights.entries.length, whole.entries.length);
  t.is(await weightsHash(opened), await weightsHash(await openFolder(golden)));
});

test.serial(
  "a shard index cannot lead out of its folder, nor misname a tensor's shard",
  async (t) => {
    for (const name of ["../vae/x.safetensors", "/etc/passwd", "a\\b.safetensors", "..", "x.pt"]) {
      const folder = await copy();
      const index = await shard(folder);
      await changeJson(index, (json) => {
        json["weight_map"] = { x: name };
      });
      const error = await t.throwsAsync(openFolder(folder), { code: "E_CHECKPOINT" }, name);
      t.true(error?.message.includes("weight_map"));
    }
    const folder = await copy();
    const index = await shard(folder);
    await changeJson(index, (json) => {
      (json["weight_map"] as Record<string, string>)["invented"] =
        "diffusion_pytorch_model-00001-of-00002.safetensors";
    });
    const { unet } = await openFolder(folder);
    const error = await t.throwsAsync(openWeights(unet.weights), { code: "E_CHECKPOINT" });
    t.regex(error?.message ?? "", /invented: in no file/);
  },
);

test.serial("classes and sizes that do not fit are E_CONFIG", async (t) => {
  const cases: readonly [string, (json: Record<string, unknown>) => void, RegExp][] = [
    ["model_index.json", (json) => (json["_class_name"] = "FluxPipeline"), /_class_name.*Flux/],
    ["model_index.json", (json) => (json["vae"] = ["diffusers", "VQModel"]), /AutoencoderKL.*VQ/],
    ["model_index.json", (json) => delete json["vocoder"], /SpeechT5HifiGan for vocoder/],
    ["unet/config.json", (json) => (json["in_channels"] = 4), /unet in_channels.*received 4/],
    ["vae/config.json", (json) => (json["in_channels"] = 3), /vae in_channels/],
    ["vocoder/config.json", (json) => (json["model_in_dim"] = 30), /vocoder model_in_dim/],
    ["text_encoder/config.json", (json) => (json["projection_dim"] = 32), /projection_dim/],
    ["unet/config.json", (json) => (json["act_fn"] = "mish"), /act_fn in .*unet.config\.json/],
  ];
  for (const [file, change, reason] of cases) {
    const folder = await copy();
    await changeJson(join(folder, file), change);
    const error = await t.throwsAsync(openFolder(folder), { code: "E_CONFIG" }, file);
    t.regex(error?.message ?? "", reason);
  }
});

test.serial("files that are no JSON or no folder are named", async (t) => {
  const folder = await copy();
  const file = join(folder, "unet", "config.json");
  await writeFile(file, '{"norm_eps": NaN}');
  const error = await t.throwsAsync(openFolder(folder), { code: "E_CONFIG" });
  t.true(error?.message.includes(file));
  await t.throwsAsync(openFolder(join(root, "absent")), { code: "E_IO" });
  await t.throwsAsync(openFolder(file), { code: "E_IO" });
  await t.throwsAsync(openFolder(join(folder, "unet")), { code: "E_CHECKPOINT" });
});

test.serial("inspect describes files, components and models by their headers", async (t) => {
  const model = await inspectCheckpoint(golden);
  t.is(model.kind, "model");
  t.is(model.pipeline, "MusicLDMPipeline");
  t.deepEqual(
    model.components.map(({ name }) => name),
    ["text_encoder", "unet", "vae", "vocoder"],
  );
  const sum = model.components.reduce((total, { elements }) => total + elements, 0);
  t.is(model.elements, sum);
  const component = await inspectCheckpoint(join(golden, "vae"));
  t.is(component.kind, "component");
  t.deepEqual(
    component.components[0]?.config,
    JSON.parse(await readFile(join(golden, "vae/config.json"), "utf8")),
  );
  const file = await inspectCheckpoint(join(golden, "vae/diffusion_pytorch_model.safetensors"));
  t.is(file.kind, "file");
  t.is(file.components[0]?.dtypes["F32"]?.tensors, file.tensors);
  t.is(file.bytes, 4 * file.elements);
  const folder = await copy();
  t.is((await inspectCheckpoint(await shard(folder))).components[0]?.files.length, 2);
  await t.throwsAsync(inspectCheckpoint(root), { code: "E_CHECKPOINT" });
  await t.throwsAsync(inspectCheckpoint(join(root, "absent")), { code: "E_IO" });
});

test.serial("one changed weight changes the hash, metadata does not", async (t) => {
  const folder = await copy();
  const path = join(folder, "vae", "diffusion_pytorch_model.safetensors");
  const before = await weightsHash(await openFolder(folder));
  const tensors: Record<string, Tensor> = {};
  const checkpoint = await Checkpoint.open(path);
  for (const { name } of checkpoint.entries) tensors[name] = await checkpoint.tensor(name);
  checkpoint.dispose();
  await writeSafetensors(path, tensors, { note: "same weights" });
  t.is(await weightsHash(await openFolder(folder)), before);
  const bias = tensors["quant_conv.bias"];
  const changed = await bias?.add(1e-3);
  if (changed) await writeSafetensors(path, { ...tensors, "quant_conv.bias": changed });
  t.not(await weightsHash(await openFolder(folder)), before);
  for (const tensor of [...Object.values(tensors), changed]) tensor?.dispose();
});
