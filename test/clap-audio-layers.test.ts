import test from "ava";
import { memory } from "../lib/runtime/native.js";
import { windowAttention } from "../lib/tensor/domain.js";
import { Tensor } from "../lib/tensor/tensor.js";
import { Block } from "./helpers/block.js";
import type { Golden } from "./helpers/golden.js";
import { assertClose, openGolden, relativeNorm } from "./helpers/golden.js";
import { measureSlopes } from "./helpers/gradient.js";
import { capabilities, restoreCapability, selectCapability } from "./helpers/kernels.js";
import { seededWeights } from "./helpers/seeded.js";

test.afterEach.always(restoreCapability);

type Input = readonly [number, readonly number[]];

const swin = { width: 16, heads: 2, window: 8 };
const layers: Readonly<Record<string, () => Promise<Block>>> = {
  plain: () => Block.of("clap_audio", "swin", { ...swin, shift: 0 }),
  shifted: () => Block.of("clap_audio", "swin", { ...swin, shift: 4 }),
  merging: () => Block.of("clap_audio", "merging", 16),
  fusion: () => Block.of("clap_audio", "fusion", 16),
  patches: () => Block.of("clap_audio", "patches", 16),
};

async function run(golden: Golden, name: string, block: Block): Promise<Tensor> {
  const inputs = JSON.parse(golden.metadata["inputs"]!) as Readonly<Record<string, Input[]>>;
  const [[seed, shape], [otherSeed]] = inputs[name] as [Input, Input];
  using hidden = await Tensor.randn(shape, { seed });
  if (name === "patches") return await block.forward(hidden, [0, 2]);
  if (name === "fusion") {
    using other = await Tensor.randn(shape, { seed: otherSeed });
    return await block.forward(hidden, other);
  }
  using map = await hidden.reshape([2, 16, 24, 16]);
  return await block.forward(map);
}

test.serial("leaves no handle behind", async (t) => {
  const { handles } = memory();
  {
    using block = await Block.of("clap_audio", "merging", 4);
    await block.initialise(0);
    using x = await Tensor.randn([1, 4, 2, 4], { seed: 0 });
    using y = await block.forward(x);
    t.deepEqual(y.shape, [1, 2, 1, 8]);
  }
  t.is(memory().handles, handles);
});

for (const [name, create] of Object.entries(layers)) {
  test.serial(`${name} answers as transformers, packed or not`, async (t) => {
    using golden = await openGolden("audio-layers");
    using block = await create();
    using weights = await seededWeights(golden, name);
    await block.load(weights.tensors);
    for (const packing of ["none", "fast"] as const) {
      await block.pack(packing);
      using output = await run(golden, name, block);
      using flat = await output.reshape(golden.get(`output.${name}`).shape);
      await assertClose(t, [flat, golden.get(`output.${name}`)], 1e-6, `${name} ${packing}`);
    }
  });
}

test.serial("every instruction set attends in shifted windows", async (t) => {
  using golden = await openGolden("audio-layers");
  using block = await layers["shifted"]!();
  using weights = await seededWeights(golden, "shifted");
  await block.load(weights.tensors);
  await block.pack("fast");
  for (const name of capabilities) {
    await selectCapability(name);
    using output = await run(golden, "shifted", block);
    using flat = await output.flatten(1, 2);
    await assertClose(t, [flat, golden.get("output.shifted")], 1e-6, name);
  }
});

test.serial("attention in windows mixes only what a window holds", async (t) => {
  using qkv = await Tensor.randn([1, 4, 4, 12], { seed: 1 });
  using bias = await Tensor.randn([2, 4, 4], { seed: 2 });
  using whole = await windowAttention(qkv, bias, { window: 2 });
  using corner = await qkv.slice(1, 2, 4);
  using part = await corner.slice(2, 0, 2);
  using alone = await windowAttention(part, bias, { window: 2 });
  using rows = await whole.slice(1, 2, 4);
  using wanted = await rows.slice(2, 0, 2);
  t.true((await relativeNorm(alone, wanted)) <= 1e-6);
});

test.serial("attention in shifted windows is differentiable", async (t) => {
  using qkv = await Tensor.randn([1, 4, 8, 12], { seed: 3 });
  using bias = await Tensor.randn([2, 16, 16], { seed: 4 });
  using factors = await Tensor.randn([1, 4, 8, 4], { seed: 5 });
  const { backward, difference } = await measureSlopes(
    qkv,
    async (leaf) => {
      using mixed = await windowAttention(leaf, bias, { window: 4, shift: 2 });
      using weighted = await mixed.mul(factors);
      return await weighted.sum();
    },
    1e-2,
  );
  t.true(Math.abs(difference / backward - 1) < 1e-2, `${difference} of ${backward}`);
});

test.serial("attention names what does not fit", async (t) => {
  using qkv = await Tensor.zeros([1, 4, 4, 12]);
  using bias = await Tensor.zeros([2, 4, 4]);
  using three = await Tensor.zeros([3, 4, 4]);
  const refuse = async (
    [left, right, options]: Parameters<typeof windowAttention>,
    code: string,
  ): Promise<void> => {
    await t.throwsAsync(windowAttention(left, right, options), { code });
  };
  await refuse([qkv, bias, { window: 3 }], "E_SHAPE");
  await refuse([qkv, bias, { window: 4 }], "E_SHAPE");
  await refuse([qkv, three, { window: 2 }], "E_SHAPE");
  await refuse([bias, bias, { window: 2 }], "E_SHAPE");
  await refuse([qkv, bias, { window: 2, shift: 2 }], "E_ARGUMENT");
  await refuse([qkv, bias, { window: 0 }], "E_ARGUMENT");
  bias.dispose();
  await refuse([qkv, bias, { window: 2 }], "E_DISPOSED");
});
