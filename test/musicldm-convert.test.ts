import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { parseClapConfig } from "../lib/checkpoint/config/clap.js";
import {
  openClapFolder,
  openFolder,
  readSafetensors,
  writeSafetensors,
} from "../lib/checkpoint/index.js";
import { writeByteTokenizer } from "../lib/clap/byte-tokenizer.js";
import { convertCheckpoint } from "../lib/musicldm/convert/convert.js";
import { MusicLDM } from "../lib/musicldm/musicldm.js";
import { memory } from "../lib/runtime/native.js";
import { assertSameTensors, namesOf, writeSide } from "./helpers/conversion.js";
import { assertClose, openGolden } from "./helpers/golden.js";

const root = await mkdtemp(join(tmpdir(), "musicldm-convert-"));
const tokenizer = join(root, "tokenizer");
const start = memory();

/** Settings of the tiny models that no shape tells. */
const clap = { text: { num_attention_heads: 3 } };
const ldm = {
  ...clap,
  unet: { norm_num_groups: 2, attention_head_dim: 2, sample_size: 16 },
  vae: { norm_num_groups: 2 },
};

test.before(() => writeByteTokenizer(tokenizer));

test.after.always("lifetime: no handle is left", async (t) => {
  await rm(root, { recursive: true, force: true });
  t.deepEqual(memory(), start);
});

const tables = ["text_model.embeddings.position_ids", "text_model.embeddings.token_type_ids"];

for (const name of ["unfused", "fused"] as const) {
  test.serial(`laion_clap, ${name}: to transformers and back, bit for bit`, async (t) => {
    const original = join(root, `${name}.safetensors`);
    const folder = join(root, `clap-${name}`);
    await writeSide(`conversion-clap-${name}`, "original.", original);
    const result = await convertCheckpoint({
      input: original,
      output: folder,
      tokenizer,
      settings: clap,
    });
    t.is(result.layout, "laion_clap");
    t.deepEqual([result.dropped, result.notices], [[], []]);
    const wanted = join(root, `${name}-published.safetensors`);
    await writeSide(`conversion-clap-${name}`, "published.", wanted);
    const plain = join(root, `${name}-plain`);
    await convertCheckpoint({ input: original, output: plain, keep: false, settings: clap });
    await assertSameTensors(t, join(plain, "model.safetensors"), wanted);
    const back = join(root, `${name}-back.safetensors`);
    const { notices } = await convertCheckpoint({ input: folder, output: back, to: "laion" });
    await assertSameTensors(t, back, original);
    const bare = join(root, `${name}-bare.safetensors`);
    const other = await convertCheckpoint({ input: plain, output: bare, to: "laion" });
    t.deepEqual([notices.length, other.notices.length], [0, 1]);
    t.false((await namesOf(bare)).some((each) => each.includes("tscam_conv")));
  });
}

test.serial("a CLAP folder has its configuration, front end and tokenizer", async (t) => {
  const read = async (name: string, file: string): Promise<Record<string, unknown>> =>
    JSON.parse(await readFile(join(root, `clap-${name}`, file), "utf8")) as Record<string, unknown>;
  const { config } = parseClapConfig(await read("fused", "config.json"), "f", "ClapModel");
  t.like(config.audio, {
    window_size: 4,
    spec_size: 64,
    num_mel_bins: 16,
    depths: [2, 1],
    num_attention_heads: [1, 2],
    patch_embeds_hidden_size: 4,
    hidden_size: 8,
    enable_fusion: true,
    fusion_type: "aff_2d",
  });
  t.like(config.text, { vocab_size: 280, layer_norm_eps: 1e-5, max_position_embeddings: 80 });
  const extractors = [await read("unfused", "preprocessor_config.json")];
  extractors.push(await read("fused", "preprocessor_config.json"));
  t.deepEqual(
    extractors.map(({ truncation }) => truncation),
    ["rand_trunc", "fusion"],
  );
  t.like(extractors[0], { frequency_min: 50, frequency_max: 14_000, fft_window_size: 64 });
  t.is((await openClapFolder(join(root, "clap-fused"))).extractor.truncation, "fusion");
});

test.serial("wrappers around a state dict come off", async (t) => {
  const input = join(root, "wrapped.safetensors");
  await writeSide("conversion-clap-unfused", "original.", input, (tensors) => {
    for (const [name, tensor] of Object.entries(tensors)) {
      tensors[`state_dict.module.${name}`] = tensor;
      delete tensors[name];
    }
    const [first] = Object.values(tensors);
    if (first) tensors["optimizer.state.0.exp_avg"] = first;
  });
  const output = join(root, "unwrapped");
  const { dropped } = await convertCheckpoint({ input, output, settings: clap });
  t.deepEqual(dropped, ["optimizer.state.0.exp_avg"]);
  const other = join(root, "clap-unfused", "model.safetensors");
  await assertSameTensors(t, join(output, "model.safetensors"), other);
});

test.serial("HiFi-GAN: folded as torch folds it, and back bit for bit", async (t) => {
  const original = join(root, "g_00000001");
  await writeSide("conversion-hifigan", "original.", original);
  const output = join(root, "vocoder");
  const { parts } = await convertCheckpoint({ input: original, output });
  t.like(parts[0]?.config, {
    model_in_dim: 20,
    upsample_rates: [8, 8, 4],
    upsample_kernel_sizes: [16, 16, 8],
    resblock_kernel_sizes: [3, 7, 11],
    normalize_before: false,
    sampling_rate: 16_000,
  });
  using golden = await openGolden("conversion-hifigan");
  using content = await readSafetensors(join(output, "model.safetensors"));
  const wanted = golden.under("published.");
  const names = Object.keys(content.tensors).filter((name) => !name.startsWith("original."));
  t.deepEqual(names.sort(), Object.keys(wanted).sort());
  for (const [name, tensor] of Object.entries(wanted)) {
    const mine = content.tensors[name];
    if (mine && name !== "mean") await assertClose(t, [mine, tensor], 1e-6, name);
  }
  const back = join(root, "g_back.safetensors");
  await convertCheckpoint({ input: output, output: back, to: "hifigan" });
  await assertSameTensors(t, back, original);
});

test.serial("files of torch.save convert as the safetensors files do", async (t) => {
  const output = join(root, "from-pt");
  const input = "test/goldens/conversion-laion.pt";
  const { dropped } = await convertCheckpoint({ input, output, settings: clap });
  t.deepEqual([...dropped].sort(), ["epoch", "name", "optimizer"]);
  const [stem, wanted] = ["model.safetensors", join(root, "clap-unfused", "model.safetensors")];
  await assertSameTensors(t, join(output, stem), wanted);
  const vocoder = join(root, "vocoder-from-pt");
  await convertCheckpoint({ input: "test/goldens/conversion-hifigan.pt", output: vocoder });
  await assertSameTensors(t, join(vocoder, stem), join(root, "vocoder", stem));
});

test.serial("original layouts are written as files of torch.save", async (t) => {
  const back = join(root, "back.pt");
  await convertCheckpoint({ input: join(root, "clap-unfused"), output: back, to: "laion" });
  const content = await readFile(back);
  t.is(content.subarray(0, 2).toString(), "PK");
  const again = join(root, "again");
  await convertCheckpoint({ input: back, output: again, settings: clap });
  const stem = "model.safetensors";
  await assertSameTensors(t, join(again, stem), join(root, "clap-unfused", stem));
});

test.serial("a weight changed after folding is taken apart anew", async (t) => {
  const folder = join(root, "changed-vocoder");
  await mkdir(folder);
  await writeFile(join(folder, "config.json"), await readFile(join(root, "vocoder/config.json")));
  using content = await readSafetensors(join(root, "vocoder/model.safetensors"));
  const file = join(folder, "model.safetensors");
  const weight = content.tensors["conv_post.weight"];
  if (!weight) return t.fail();
  using doubled = await weight.mul(2);
  await writeSafetensors(file, { ...content.tensors, "conv_post.weight": doubled });
  const output = join(root, "changed-g.safetensors");
  await convertCheckpoint({ input: folder, output, to: "hifigan" });
  using back = await readSafetensors(output);
  const direction = back.tensors["conv_post.weight_v"];
  if (direction) await assertClose(t, [direction, doubled], 0, "direction");
  t.truthy(direction);
});

test.serial(
  "a latent-diffusion checkpoint becomes a pipeline, as diffusers converts it",
  async (t) => {
    const input = "test/goldens/conversion-ldm-original.safetensors";
    const output = join(root, "pipeline");
    const steps: number[] = [];
    const result = await convertCheckpoint({
      input,
      output,
      tokenizer,
      settings: ldm,
      keep: false,
      onProgress: ({ step }) => steps.push(step),
    });
    t.deepEqual(steps, [0, 1, 2, 3, 4]);
    t.is(result.layout, "ldm");
    t.true(result.notices.some((text) => text.includes('"ema"')));
    t.true(result.dropped.includes("betas"));
    for (const part of ["unet", "vae", "vocoder", "text_encoder"]) {
      const wanted = join(root, `wanted-${part}.safetensors`);
      await writeSide("conversion-ldm-published", `${part}.`, wanted);
      const stem = part === "unet" || part === "vae" ? "diffusion_pytorch_model" : "model";
      await assertSameTensors(t, join(output, part, `${stem}.safetensors`), wanted);
    }
    const folder = await openFolder(output);
    t.is(folder.vae.config.scaling_factor, 0.75);
    t.deepEqual(folder.unet.config.block_out_channels, [4, 4, 8]);
    t.true(folder.unet.config.class_embeddings_concat);
  },
);

test.serial("the converted pipeline generates", async (t) => {
  using model = await MusicLDM.fromPretrained(join(root, "pipeline"));
  const { waveforms } = await model.generate({
    prompt: "a piano",
    seconds: 0.2,
    steps: 2,
    seed: 1,
  });
  t.is(waveforms[0]?.length, 3200);
  t.true(waveforms[0]?.every(Number.isFinite));
});

test.serial("a pipeline and its original: there and back, bit for bit", async (t) => {
  const input = "test/goldens/conversion-ldm-original.safetensors";
  const output = join(root, "whole");
  await convertCheckpoint({ input, output, settings: ldm, pipeline: "audioldm" });
  const back = join(root, "whole-back.safetensors");
  await convertCheckpoint({ input: output, output: back, to: "ldm" });
  const lost = /^(model_ema\.|betas$)/;
  const wanted = join(root, "whole-wanted.safetensors");
  await writeSide("conversion-ldm-original", "", wanted, (tensors) => {
    for (const name of Object.keys(tensors)) if (lost.test(name)) delete tensors[name];
  });
  await assertSameTensors(t, back, wanted);
});

test.serial("averaged weights are taken on request", async (t) => {
  const input = "test/goldens/conversion-ldm-original.safetensors";
  const output = join(root, "averaged");
  await convertCheckpoint({ input, output, settings: ldm, weights: "ema" });
  const path = "unet/diffusion_pytorch_model.safetensors";
  using raw = await readSafetensors(join(root, "pipeline", path));
  using averaged = await readSafetensors(join(output, path));
  const [a, b] = [raw, averaged].map(({ tensors }) => tensors["conv_in.bias"]);
  if (!a || !b) return t.fail();
  using shifted = await a.add(1);
  await assertClose(t, [b, shifted], 1e-7, "conv_in.bias");
  const none = join(root, "whole-back.safetensors");
  const refused = convertCheckpoint({ input: none, output: join(root, "none"), weights: "ema" });
  await t.throwsAsync(refused, { code: "E_CHECKPOINT", message: /averaged weights/ });
});

test.serial("a published file without a folder gets its configuration", async (t) => {
  const input = join(root, "clap-unfused", "model.safetensors");
  const output = join(root, "from-published");
  const { layout } = await convertCheckpoint({ input, output, settings: clap, dtype: "float16" });
  t.is(layout, "huggingface");
  const names = await namesOf(join(output, "model.safetensors"));
  t.deepEqual(names, await namesOf(input));
  t.true(tables.every((name) => names.includes(name)));
});
