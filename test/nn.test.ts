import test from "ava";
import { call } from "../lib/runtime/native.js";
import type { NativeTensor } from "../lib/runtime/native.js";
import { Tensor } from "../lib/tensor/tensor.js";
import { Block } from "./helpers/block.js";
import { assertClose, openGolden } from "./helpers/golden.js";
import { packings } from "./helpers/kernels.js";

const straight = { circular: false };
const circular = { circular: true };

interface ResnetConfig {
  readonly in_channels: number;
  readonly out_channels: number;
  readonly temb_channels: number | null;
  readonly groups: number;
  readonly eps: number;
}

test.serial("residual blocks equal diffusers'", async (t) => {
  using golden = await openGolden("layers-resnet");
  const configs = golden.config as Readonly<Record<string, ResnetConfig>>;
  for (const [name, { temb_channels, ...config }] of Object.entries(configs)) {
    const options = { ...config, embedding_channels: temb_channels ?? 0 };
    using block = await Block.create("resnet", options);
    await block.load(golden.under(`weight.${name}.`));
    const embedding = temb_channels === null ? null : golden.get(`input.emb.${name}`);
    for (const packing of packings) {
      await block.pack(packing);
      using output = await block.forward(golden.get(`input.hidden.${name}`), embedding);
      await assertClose(t, [output, golden.get(`output.hidden.${name}`)], 1e-6, name + packing);
    }
  }
});

interface TransformerConfig {
  readonly in_channels: number;
  readonly num_attention_heads: number;
  readonly norm_num_groups: number;
}

test.serial("transformers equal diffusers'", async (t) => {
  using golden = await openGolden("layers-transformer");
  const configs = golden.config as Readonly<Record<string, TransformerConfig>>;
  for (const [name, config] of Object.entries(configs)) {
    using block = await Block.create("transformer", {
      channels: config.in_channels,
      heads: config.num_attention_heads,
      layers: 1,
      groups: config.norm_num_groups,
      second_attention: true,
      linear_projection: false,
    });
    await block.load(golden.under(`weight.${name}.`));
    for (const packing of packings) {
      await block.pack(packing);
      using output = await block.forward(golden.get(`input.hidden.${name}`));
      await assertClose(t, [output, golden.get(`output.hidden.${name}`)], 1e-6, name + packing);
    }
  }
});

test.serial("projection by linear layers equals projection by 1 × 1 convolutions", async (t) => {
  using golden = await openGolden("layers-transformer");
  const shared = { channels: 16, heads: 4, layers: 1, groups: 8, second_attention: true };
  using block = await Block.create("transformer", { ...shared, linear_projection: true });
  const weights = { ...golden.under("weight.heads4.") };
  using into = await weights["proj_in.weight"]!.reshape([16, 16]);
  using out = await weights["proj_out.weight"]!.reshape([16, 16]);
  await block.load({ ...weights, "proj_in.weight": into, "proj_out.weight": out });
  using output = await block.forward(golden.get("input.hidden.heads4"));
  await assertClose(t, [output, golden.get("output.hidden.heads4")], 1e-6, "linear");
});

test.serial("resampling equals diffusers'", async (t) => {
  using golden = await openGolden("layers-sampling");
  for (const padding of [0, 1]) {
    const name = `down${padding}`;
    using down = await Block.create("downsample", 12, padding);
    await down.load(golden.under(`weight.${name}.`));
    for (const key of [`${name}.even`, `${name}.odd`]) {
      for (const packing of packings) {
        await down.pack(packing);
        using output = await down.forward(golden.get(`input.hidden.${key}`), straight);
        await assertClose(t, [output, golden.get(`output.hidden.${key}`)], 1e-6, key + packing);
      }
    }
  }
  using up = await Block.create("upsample", 12);
  await up.load(golden.under("weight.up."));
  for (const key of ["up.double", "up.sized"]) {
    const [x, wanted] = [golden.get(`input.hidden.${key}`), golden.get(`output.hidden.${key}`)];
    for (const packing of packings) {
      await up.pack(packing);
      using output = await up.forward(x, wanted.shape.slice(2), straight);
      await assertClose(t, [output, wanted], 1e-6, key + packing);
    }
  }
});

/** Processors differ in the last digit of a frequency; 999 steps make that a phase of 6e-5. */
const limitOfPhases = 1e-5;

test.serial("timestep embeddings equal diffusers'", async (t) => {
  using golden = await openGolden("layers-timestep");
  const times = golden.get("input.timestep");
  for (const width of [128, 12]) {
    const args = [times, width, true, 0];
    using sinusoid = Tensor.fromNative(await call<NativeTensor>("unet.sinusoid", args));
    const name = `width${width}`;
    const wanted = golden.get(`output.sinusoid.${name}`);
    await assertClose(t, [sinusoid, wanted], limitOfPhases, name);
    using layer = await Block.create("time_embedding", width, 24);
    await layer.load(golden.under(`weight.${name}.`));
    for (const packing of packings) {
      await layer.pack(packing);
      using output = await layer.forward(wanted);
      await assertClose(t, [output, golden.get(`output.embedding.${name}`)], 1e-6, name + packing);
    }
  }
});

test.serial("sinusoids have the published values at 501", async (t) => {
  using times = await Tensor.from([501]);
  using sinusoid = Tensor.fromNative(
    await call<NativeTensor>("unet.sinusoid", [times, 128, true, 0]),
  );
  const values = await sinusoid.floats();
  const wanted = [-0.0839294, 0.9528424, 0.2731527, 0.9983269];
  [0, 1, 2, 63].forEach((at, i) => t.true(Math.abs(values[at]! - wanted[i]!) < 1e-6));
});

test.serial("convolutions turn with their input in circular time", async (t) => {
  using down = await Block.create("downsample", 12, 1);
  using up = await Block.create("upsample", 12);
  await down.initialise(1);
  await up.initialise(2);
  for (const frames of [8, 2]) {
    using x = await Tensor.randn([1, 12, frames, 6], { seed: frames });
    using turned = await x.roll(2, 2);
    using smaller = await down.forward(x, circular);
    using smallerOfTurned = await down.forward(turned, circular);
    using wantedSmaller = await smaller.roll(1, 2);
    await assertClose(t, [smallerOfTurned, wantedSmaller], 1e-6, `down ${frames}`);
    const size = [2 * frames, 12];
    using larger = await up.forward(x, size, circular);
    using largerOfTurned = await up.forward(turned, size, circular);
    using wanted = await larger.roll(4, 2);
    await assertClose(t, [largerOfTurned, wanted], 1e-6, `up ${frames}`);
  }
});
