import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test from "ava";
import { AudioTower } from "../lib/clap/audio-tower.js";
import { initClap } from "../lib/clap/init.js";
import { Checkpoint } from "../lib/checkpoint/checkpoint.js";
import { parseClapConfig } from "../lib/checkpoint/config/clap.js";
import { parseClapAudio } from "../lib/checkpoint/config/clap-audio.js";
import { memory } from "../lib/runtime/native.js";
import { Tensor } from "../lib/tensor/tensor.js";
import { assertCases, buildTower } from "./helpers/audio-towers.js";
import { assertClose, openGolden, relativeNorm } from "./helpers/golden.js";
import { seededCase, seededWeights } from "./helpers/seeded.js";

test.serial("leaves no handle behind", async (t) => {
  const { handles } = memory();
  {
    using golden = await openGolden("audio-other");
    using tower = await buildTower(golden);
    using item = await seededCase(golden, "odd");
    using output = await tower.forward(item.features);
    t.deepEqual(output.poolerOutput.shape, [3, tower.width]);
  }
  t.is(memory().handles, handles);
});

const fusions = ["aff_2d", "daf_2d", "iaff_2d", "channel_map"];
const htsats = ["audio-plain", "audio-other", "audio-tiny", "audio-fused"];

for (const name of [...htsats, ...fusions.map((fusion) => `audio-laion-${fusion}`)]) {
  test.serial(`${name} answers as the original, packed or not`, async (t) => {
    using golden = await openGolden(name);
    using tower = await buildTower(golden);
    await assertCases(t, [tower, golden], 1e-5);
    await tower.pack("fast");
    await assertCases(t, [tower, golden], 1e-5);
  });
}

test.serial("a name for fusion is transformers' own", async (t) => {
  using golden = await openGolden("audio-fused");
  using tower = await buildTower(golden, { fusion_type: "aff_2d" });
  await assertCases(t, [tower, golden], 1e-5);
});

test.serial("a batch equals its items alone", async (t) => {
  using golden = await openGolden("audio-fused");
  using tower = await buildTower(golden);
  using item = await seededCase(golden, "some");
  using together = await tower.forward(item.features, item.isLonger);
  for (const [i, isLonger] of item.isLonger!.entries()) {
    using own = await item.features.slice(0, i, i + 1);
    using alone = await tower.forward(own, [isLonger]);
    using row = await together.audioEmbeds.slice(0, i, i + 1);
    t.true((await relativeNorm(alone.audioEmbeds, row)) <= 1e-6);
  }
});

test.serial("a whole ClapModel loads, with what laion_clap stores beside it", async (t) => {
  using golden = await openGolden("audio-other");
  using tower = await AudioTower.create(parseClapAudio(golden.config, "golden").config);
  using weights = await seededWeights(golden);
  using any = await Tensor.zeros([1]);
  const encoder = "audio_model.audio_encoder";
  const others = [
    "text_model.embeddings.position_ids",
    "text_projection.linear1.weight",
    "logit_scale_a",
    `${encoder}.tscam_conv.weight`,
    `${encoder}.head.bias`,
    `${encoder}.layers.1.blocks.1.attn_mask`,
    `${encoder}.layers.1.blocks.1.attention.self.relative_position_index`,
    `${encoder}.spectrogram_extractor.stft.conv_real.weight`,
    `${encoder}.logmel_extractor.melW`,
  ];
  const extra = Object.fromEntries(others.map((name) => [name, any]));
  await t.notThrowsAsync(tower.load({ ...weights.tensors, ...extra }));
  const unknown = { ...weights.tensors, [`${encoder}.novelty`]: any };
  await t.throwsAsync(tower.load(unknown), { code: "E_CHECKPOINT", message: /novelty/ });
});

test.serial("half precision comes close", async (t) => {
  using golden = await openGolden("audio-fused");
  for (const dtype of ["bfloat16", "float16"] as const) {
    using tower = await buildTower(golden);
    await tower.to({ dtype });
    using item = await seededCase(golden, "short");
    using output = await tower.forward(item.features, item.isLonger);
    t.is(output.audioEmbeds.dtype, dtype);
    const wanted = golden.get("output.audio_embeds.short");
    const limit = dtype === "bfloat16" ? 5e-2 : 1e-2;
    await assertClose(t, [output.audioEmbeds, wanted], limit, dtype);
  }
});

test.serial("a folder that init writes loads, fused and not", async (t) => {
  for (const preset of ["debug", "debug-fused"] as const) {
    const folder = join(await mkdtemp(join(tmpdir(), "musicldm-audio-")), preset);
    await initClap({ preset, folder, seed: 1 });
    const json = JSON.parse(await readFile(join(folder, "config.json"), "utf8")) as unknown;
    const { audio } = parseClapConfig(json, folder, "ClapModel").config;
    using tower = await AudioTower.create(audio!);
    using checkpoint = await Checkpoint.open(join(folder, "model.safetensors"));
    await tower.load(checkpoint);
    using features = await Tensor.randn([1, tower.channels, 1001, 64], { seed: 2 });
    using output = await tower.forward(features, [true]);
    t.true((await output.audioEmbeds.floats()).every(Number.isFinite));
    await rm(dirname(folder), { recursive: true });
  }
});

test.serial("names what does not fit", async (t) => {
  using golden = await openGolden("audio-fused");
  using tower = await buildTower(golden);
  const refuse = async (shape: readonly number[], message: RegExp): Promise<void> => {
    using features = await Tensor.zeros(shape);
    await t.throwsAsync(tower.forward(features), { code: "E_SHAPE", message });
  };
  await refuse([1, 1, 100, 64], /\[batch, 4, frames, 64\] for features/);
  await refuse([1, 4, 100, 65], /for features/);
  await refuse([4, 100, 64], /for features/);
  await refuse([1, 4, 0, 64], /for features/);
  await refuse([1, 4, 1025, 64], /1\.\.1024 frames for features but received 1025/);
  using features = await Tensor.zeros([2, 4, 20, 64]);
  using integers = await Tensor.zeros([2, 4, 20, 64], { dtype: "int64" });
  await t.throwsAsync(tower.forward(features, [true]), { code: "E_SHAPE", message: /isLonger/ });
  await t.throwsAsync(tower.forward(features, []), { code: "E_SHAPE", message: /isLonger/ });
  await t.throwsAsync(tower.forward(features, [1, 0] as never), { code: "E_ARGUMENT" });
  await t.throwsAsync(tower.forward(integers), { code: "E_DTYPE" });
  const signal = AbortSignal.abort();
  await t.throwsAsync(tower.forward(features, null, { signal }), { code: "E_ABORTED" });
  tower.dispose();
  await t.throwsAsync(tower.forward(features), { code: "E_DISPOSED" });
});
