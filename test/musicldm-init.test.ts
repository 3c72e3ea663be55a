import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { parseClapConfig } from "../lib/checkpoint/config/clap.js";
import { Checkpoint, inspectCheckpoint, openFolder, weightsHash } from "../lib/checkpoint/index.js";
import type { CheckpointEntry } from "../lib/checkpoint/index.js";
import { byteTokenCount } from "../lib/clap/byte-tokenizer.js";
import { clapWeights } from "../lib/clap/initial-weights.js";
import { initPretrained } from "../lib/musicldm/init.js";
import { presets } from "../lib/musicldm/presets.js";
import { memory } from "../lib/runtime/native.js";
import { asRoberta } from "./helpers/text-tower.js";

const root = await mkdtemp(join(tmpdir(), "musicldm-init-"));
const start = memory();
const debug = join(root, "new", "debug");
const quick = { preset: "debug", seed: 1 } as const;

test.after.always("lifetime: no handle is left", async (t) => {
  await rm(root, { recursive: true, force: true });
  t.deepEqual(memory(), start);
});

test.serial("the debug preset is a whole folder below a million weights", async (t) => {
  const steps: number[] = [];
  const onProgress = ({ step }: { readonly step: number }) => steps.push(step);
  const result = await initPretrained({ ...quick, folder: debug, onProgress });
  t.deepEqual(steps, [1, 2, 3, 4, 5, 6, 7, 8]);
  t.true(result.elements < 1_000_000, `${result.elements}`);
  t.regex(result.notice, /noise/);
  const folder = await openFolder(debug);
  t.is(folder.pipeline, "MusicLDMPipeline");
  t.is(folder.unet.config.block_out_channels.length, 4);
  t.is(asRoberta(folder.textEncoder.config.text).max_position_embeddings, 514);
  t.true(folder.textEncoder.config.text.vocab_size >= byteTokenCount);
  t.deepEqual(
    (await openFolder(debug, { attentionHeads: "trained" })).unet.config.attention_heads,
    [1, 1, 1, 1],
  );
});

test.serial("the text encoder has the tensors of transformers' ClapModel", async (t) => {
  using checkpoint = await Checkpoint.open(join(debug, "text_encoder", "model.safetensors"));
  const entry = ({ name, dtype, shape }: CheckpointEntry) => [name, [dtype, shape]] as const;
  const golden = JSON.parse(await readFile("test/goldens/clap-state.json", "utf8")) as unknown;
  t.deepEqual(Object.fromEntries(checkpoint.entries.map(entry)), golden);
  t.deepEqual(checkpoint.metadata, { format: "pt" });
});

test("the full-size text encoders have the published numbers of parameters", (t) => {
  const count = (name: "musicldm" | "audioldm-s") => {
    const { textEncoder, textClass } = presets[name];
    const { config } = parseClapConfig(textEncoder, "f", textClass);
    const isBuffer = /_ids$|_index$|running_|num_batches/;
    return clapWeights(config)
      .filter((weight) => !isBuffer.test(weight.name))
      .reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0);
  };
  t.is(count("musicldm"), 193_913_882);
  t.is(count("audioldm-s"), 124_645_632 + 656_384);
});

test.serial("initial values follow the reference's initialisers", async (t) => {
  using text = await Checkpoint.open(join(debug, "text_encoder", "model.safetensors"));
  using vocoder = await Checkpoint.open(join(debug, "vocoder", "model.safetensors"));
  using unet = await Checkpoint.open(join(debug, "unet", "diffusion_pytorch_model.safetensors"));
  const near = async (source: Checkpoint, name: string, expected: number) => {
    using tensor = await source.tensor(name);
    using deviation = await tensor.std();
    const value = await deviation.item();
    t.log(name, value);
    t.true(Math.abs(value - expected) <= 0.06 * expected, `${name}: ${value}, not ${expected}`);
  };
  await near(text, "text_model.embeddings.word_embeddings.weight", 0.02);
  await near(text, "text_model.encoder.layer.0.intermediate.dense.weight", (32 * 4) ** -0.5);
  await near(text, "text_projection.linear2.weight", (32 * 2 * 6) ** -0.5);
  await near(text, "audio_projection.linear2.weight", (32 * 2 * 6) ** -0.5);
  await near(vocoder, "conv_pre.weight", 0.2);
  await near(unet, "mid_block.resnets.0.conv1.weight", (3 * 32 * 9) ** -0.5);
  using scale = await text.tensor("logit_scale_a");
  t.true(Math.abs((await scale.item()) - Math.log(1 / 0.07)) < 1e-6);
});

test.serial("the seed decides the weights", async (t) => {
  const hash = async (folder: string) => weightsHash(await openFolder(folder));
  const [same, other] = [join(root, "same"), join(root, "other")];
  await initPretrained({ ...quick, folder: same });
  await initPretrained({ ...quick, folder: other, seed: 2 });
  t.is(await hash(same), await hash(debug));
  t.not(await hash(other), await hash(debug));
  t.regex(await hash(debug), /^[0-9a-f]{64}$/);
});

test.serial("AudioLDM's folder has no audio tower and no feature extractor", async (t) => {
  const { pipeline, textClass, extractor } = presets["audioldm-s"];
  t.is(pipeline, "AudioLDMPipeline");
  t.is(textClass, "ClapTextModelWithProjection");
  t.is(extractor, null);
});

test.serial("a folder that is not empty is refused, or keeps its other files", async (t) => {
  const folder = join(root, "occupied");
  await mkdir(join(folder, "unet"), { recursive: true });
  await writeFile(join(folder, "notes.txt"), "mine");
  await writeFile(join(folder, "unet", "stale.bin"), "");
  const error = await t.throwsAsync(initPretrained({ ...quick, folder }), { code: "E_IO" });
  t.true(error?.message.includes(folder));
  await initPretrained({ ...quick, folder, force: true });
  t.is(await readFile(join(folder, "notes.txt"), "utf8"), "mine");
  t.false((await readdir(join(folder, "unet"))).includes("stale.bin"));
  t.is((await inspectCheckpoint(folder)).kind, "model");
});

test.serial("an abort at any step leaves nothing behind", async (t) => {
  const before = (await readdir(root)).sort();
  for (let stop = 0; stop < 8; stop++) {
    const controller = new AbortController();
    if (stop === 0) controller.abort();
    const onProgress = ({ step }: { readonly step: number }) => {
      if (step === stop) controller.abort();
    };
    const folder = join(root, "parent", "aborted");
    const { signal } = controller;
    const aborted = initPretrained({ ...quick, folder, signal, onProgress });
    await t.throwsAsync(aborted, { code: "E_ABORTED" }, `step ${stop}`);
    t.deepEqual((await readdir(root)).sort(), before);
  }
});

test.serial("invalid input", async (t) => {
  const bad = async (changes: object, code: string) =>
    t.throwsAsync(initPretrained({ ...quick, folder: join(root, "bad"), ...changes }), { code });
  await bad({ preset: "huge" }, "E_ARGUMENT");
  await bad({ seed: -1 }, "E_ARGUMENT");
  await bad({ seed: 0.5 }, "E_ARGUMENT");
  await bad({ folder: "" }, "E_ARGUMENT");
  await writeFile(join(root, "file"), "");
  await bad({ folder: join(root, "file") }, "E_IO");
  await bad({ folder: join(root, "file", "below") }, "E_IO");
});
