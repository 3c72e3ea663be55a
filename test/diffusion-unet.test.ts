import test from "ava";
import type { ExecutionContext } from "ava";
import { parseUNetConfig } from "../lib/checkpoint/config/unet.js";
import { UNet } from "../lib/diffusion/unet.js";
import { memory } from "../lib/runtime/native.js";
import { Tensor } from "../lib/tensor/tensor.js";
import type { Golden } from "./helpers/golden.js";
import { assertClose, openGolden, relativeNorm } from "./helpers/golden.js";
import { packings } from "./helpers/kernels.js";

const names = ["unet-musicldm", "unet-head-list", "unet-audioldm"] as const;
const cases = [
  "square",
  "batch3",
  "frames29",
  "frames3",
  "frames1",
  "narrow",
  "fractional",
  "timesteps",
] as const;

async function build(golden: Golden): Promise<UNet> {
  const unet = await UNet.create(parseUNetConfig(golden.config, "golden").config);
  await unet.load(golden.under("weight."));
  return unet;
}

/** A case's own arguments: its timestep is a number unless each item has one. */
async function inputs(golden: Golden, key: string) {
  const times = golden.get(`input.timestep.${key}`);
  return {
    sample: golden.get(`input.sample.${key}`),
    timestep: times.size === 1 ? await times.item() : times,
    labels: golden.get(`input.class_labels.${key}`),
  };
}

test.serial("leaves no handle behind", async (t) => {
  const { handles } = memory();
  {
    using golden = await openGolden("unet-musicldm");
    using unet = await build(golden);
    const { sample, timestep, labels } = await inputs(golden, "frames3");
    using output = await unet.forward(sample, timestep, labels);
    t.deepEqual(output.shape, [2, 8, 3, 16]);
  }
  t.is(memory().handles, handles);
});

for (const name of names) {
  test.serial(`${name} predicts as diffusers`, async (t) => {
    using golden = await openGolden(name);
    using unet = await build(golden);
    for (const packing of packings) {
      await unet.pack(packing);
      for (const key of cases) {
        const { sample, timestep, labels } = await inputs(golden, key);
        using output = await unet.forward(sample, timestep, labels);
        const what = `${key} ${packing}`;
        await assertClose(t, [output, golden.get(`output.sample.${key}`)], 1e-5, what);
      }
    }
  });
}

test.serial("gradients equal diffusers'", async (t) => {
  using golden = await openGolden("unet-musicldm");
  using unet = await build(golden);
  await unet.requiresGrad();
  const { sample, timestep, labels } = await inputs(golden, "batch3");
  using leaf = await sample.clone();
  using conditioning = await labels.clone();
  await leaf.requiresGrad();
  await conditioning.requiresGrad();
  using output = await unet.forward(leaf, timestep, conditioning);
  using squares = await output.mul(output);
  using loss = await squares.mean();
  await loss.backward();
  const grads = await unet.grads();
  const wanted = golden.under("grad.");
  for (const [name, tensor] of Object.entries(wanted)) {
    if (!name.startsWith("input.")) await assertClose(t, [grads[name]!, tensor], 1e-5, name);
  }
  for (const grad of Object.values(grads)) grad.dispose();
  await assertGrad(t, leaf, wanted["input.sample"]!, "sample");
  await assertGrad(t, conditioning, wanted["input.class_labels"]!, "class labels");
});

async function assertGrad(t: ExecutionContext, leaf: Tensor, wanted: Tensor, what: string) {
  using grad = (await leaf.grad()) ?? (await Tensor.zeros([1]));
  await assertClose(t, [grad, wanted], 1e-5, what);
}

test.serial("a batch equals its items", async (t) => {
  using golden = await openGolden("unet-musicldm");
  using unet = await build(golden);
  const { sample, timestep, labels } = await inputs(golden, "batch3");
  using together = await unet.forward(sample, timestep, labels);
  for (let i = 0; i < 3; i += 1) {
    using item = await sample.slice(0, i, i + 1);
    using label = await labels.slice(0, i, i + 1);
    using alone = await unet.forward(item, timestep, label);
    using row = await together.slice(0, i, i + 1);
    await assertClose(t, [alone, row], 1e-5, `item ${i}`);
  }
});

test.serial("turns with its input in circular time", async (t) => {
  using golden = await openGolden("unet-musicldm");
  using unet = await build(golden);
  const { sample, timestep, labels } = await inputs(golden, "square");
  using turned = await sample.roll(4, 2);
  using output = await unet.forward(sample, timestep, labels, { circular: true });
  using outputOfTurned = await unet.forward(turned, timestep, labels, { circular: true });
  using turnedOutput = await output.roll(4, 2);
  await assertClose(t, [outputOfTurned, turnedOutput], 1e-5, "turned");
  using straight = await unet.forward(sample, timestep, labels);
  t.true((await relativeNorm(straight, output)) > 1e-3, "circular time changes the borders");
});

test.serial("initialises from a seed, and computes in bfloat16", async (t) => {
  using golden = await openGolden("unet-musicldm");
  const { sample, timestep, labels } = await inputs(golden, "square");
  const outputs: Float32Array[] = [];
  for (const seed of [7, 7, 8]) {
    using unet = await UNet.create(parseUNetConfig(golden.config, "golden").config);
    await unet.initialise(seed);
    using output = await unet.forward(sample, timestep, labels);
    outputs.push(await output.floats());
  }
  t.deepEqual(outputs[0], outputs[1]);
  t.notDeepEqual(outputs[0], outputs[2]);
  using unet = await build(golden);
  await unet.to({ dtype: "bfloat16" });
  using half = await sample.to("bfloat16");
  using output = await unet.forward(half, timestep, labels);
  t.is(output.dtype, "bfloat16");
  using wide = await output.to("float32");
  const norm = await relativeNorm(wide, golden.get("output.sample.square"));
  t.true(norm < 0.05, `${norm}: bfloat16 has 8 bits`);
  await t.throwsAsync(unet.forward(sample, timestep, labels), { code: "E_DTYPE" });
});

test.serial("names what does not fit", async (t) => {
  using golden = await openGolden("unet-musicldm");
  const { config } = parseUNetConfig(golden.config, "golden");
  const { sample, timestep, labels } = await inputs(golden, "batch3");
  using empty = await UNet.create(config);
  await t.throwsAsync(empty.forward(sample, timestep, labels), { code: "E_ARGUMENT" });
  using unet = await build(golden);
  using narrow = await sample.slice(1, 0, 7);
  using fewer = await labels.slice(0, 0, 2);
  using times = await Tensor.from([1, 2]);
  const calls = [
    { call: unet.forward(narrow, timestep, labels), name: "latents" },
    { call: unet.forward(sample, timestep, fewer), name: "classLabels" },
    { call: unet.forward(sample, times, labels), name: "timestep" },
  ];
  for (const { call, name } of calls) {
    await t.throwsAsync(call, { code: "E_SHAPE", message: new RegExp(`for ${name} but`) });
  }
  const signal = AbortSignal.abort();
  await t.throwsAsync(unet.forward(sample, timestep, labels, { signal }), { code: "E_ABORTED" });
  unet.dispose();
  await t.throwsAsync(unet.forward(sample, timestep, labels), { code: "E_DISPOSED" });
});
