import test from "ava";
import { normalNoise } from "../lib/tensor/domain.js";
import { Generator } from "../lib/tensor/generator.js";
import { Tensor } from "../lib/tensor/tensor.js";
import type { Golden } from "./helpers/golden.js";
import { openGolden } from "./helpers/golden.js";
import { declareLifetimeTest } from "./helpers/tensor-ops.js";

declareLifetimeTest();

interface Draws {
  readonly seeds: readonly number[];
  readonly draws: Readonly<Record<string, readonly number[]>>;
}

function drawsOf(golden: Golden): Draws {
  return golden.config as Draws;
}

test.serial("a seed gives the noise of PyTorch bit for bit", async (t) => {
  using golden = await openGolden("tensor-ops");
  const { seeds, draws } = drawsOf(golden);
  for (const [name, shape] of Object.entries(draws)) {
    for (const [i, seed] of seeds.entries()) {
      using noise = await Tensor.randn([1, ...shape], { seed });
      const wanted = await golden.get(`output.randn_${name}.${i}`).data();
      t.deepEqual(await noise.data(), wanted, `${name} of seed ${seed}`);
    }
  }
});

test.serial("each item of a batch is the item of its generator alone", async (t) => {
  using golden = await openGolden("tensor-ops");
  const { seeds, draws } = drawsOf(golden);
  for (const [name, shape] of Object.entries(draws)) {
    const generators = seeds.map((seed) => new Generator(seed));
    using noise = await normalNoise(generators, shape);
    t.deepEqual(noise.shape, [seeds.length, ...shape]);
    for (const i of seeds.keys()) {
      using item = await noise.select(0, i);
      t.deepEqual(await item.data(), await golden.get(`output.randn_${name}.${i}`).data());
    }
    for (const generator of generators) generator.dispose();
  }
});

test.serial("a generator goes on where it stopped", async (t) => {
  using golden = await openGolden("tensor-ops");
  using generator = new Generator(42);
  using first = await normalNoise([generator], [37]);
  using second = await normalNoise([generator], [37]);
  t.deepEqual(await first.data(), await golden.get("output.randn_odd.2").data());
  t.deepEqual(await second.data(), await golden.get("output.randn_second").data());
});

test.serial("uniform and integer draws equal PyTorch's", async (t) => {
  using golden = await openGolden("tensor-ops");
  using uniform = await Tensor.rand([5, 7], { seed: 42 });
  using integers = await Tensor.randint(-3, 9, [5, 7], { seed: 42 });
  t.deepEqual(await uniform.data(), await golden.get("output.rand").data());
  t.deepEqual(await integers.data(), await golden.get("output.randint").data());
});

test.serial("a seed means the same noise in every dtype", async (t) => {
  using noise = await Tensor.randn([50], { seed: 3 });
  for (const dtype of ["float16", "bfloat16"] as const) {
    using half = await Tensor.randn([50], { seed: 3, dtype });
    using converted = await noise.to(dtype);
    t.is(half.dtype, dtype);
    t.deepEqual(await half.data(), await converted.data());
  }
});

test.serial("without a seed every draw differs", async (t) => {
  using a = await Tensor.randn([50]);
  using b = await Tensor.randn([50]);
  t.notDeepEqual(await a.data(), await b.data());
});

test.serial("no generators and no elements give an empty tensor", async (t) => {
  using generator = new Generator(0);
  using none = await normalNoise([], [3]);
  using empty = await normalNoise([generator], [0, 4]);
  t.deepEqual(
    [none.shape, empty.shape],
    [
      [0, 3],
      [1, 0, 4],
    ],
  );
});

test.serial("bad seeds, generators and ranges are refused", async (t) => {
  for (const seed of [-1, 0.5, 2 ** 53, NaN, "1" as unknown as number]) {
    t.throws(() => new Generator(seed), { code: "E_ARGUMENT", message: /seed/ });
    await t.throwsAsync(Tensor.randn([2], { seed }), { code: "E_ARGUMENT" });
  }
  const generator = new Generator(1);
  await t.throwsAsync(Tensor.randn([2], { seed: 1, generator }), { code: "E_ARGUMENT" });
  await t.throwsAsync(normalNoise([generator], [-1]), { code: "E_SHAPE" });
  await t.throwsAsync(normalNoise([{} as Generator], [1]), { code: "E_ARGUMENT" });
  await t.throwsAsync(Tensor.randint(3, 3, [1], { generator }), { code: "E_ARGUMENT" });
  generator.dispose();
  await t.throwsAsync(normalNoise([generator], [1]), { code: "E_DISPOSED" });
});
