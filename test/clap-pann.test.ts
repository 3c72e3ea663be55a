import test from "ava";
import { memory } from "../lib/runtime/native.js";
import { Tensor } from "../lib/tensor/tensor.js";
import { assertCases, buildTower } from "./helpers/audio-towers.js";
import { openGolden, relativeNorm } from "./helpers/golden.js";
import { seededCase } from "./helpers/seeded.js";

test.serial("leaves no handle behind", async (t) => {
  const { handles } = memory();
  {
    using golden = await openGolden("audio-cnn6");
    using tower = await buildTower(golden);
    using item = await seededCase(golden, "short");
    using output = await tower.forward(item.features);
    t.deepEqual(output.poolerOutput.shape, [1, 512]);
    t.deepEqual(output.lastHiddenState.shape, [1, 512, 2]);
  }
  t.is(memory().handles, handles);
});

const fusions = ["aff_2d", "daf_2d", "iaff_2d", "channel_map"];

for (const name of ["cnn14", "cnn10", "cnn6", ...fusions.map((fusion) => `cnn14-${fusion}`)]) {
  test.serial(`${name} answers as laion_clap, packed or not`, async (t) => {
    using golden = await openGolden(`audio-${name}`);
    using tower = await buildTower(golden);
    await assertCases(t, [tower, golden], 1e-5);
    await tower.pack("fast");
    await assertCases(t, [tower, golden], 1e-5);
  });
}

test.serial("dropout is seeded, and training follows the statistics", async (t) => {
  using golden = await openGolden("audio-cnn6");
  using tower = await buildTower(golden);
  using item = await seededCase(golden, "odd");
  await tower.train();
  await tower.seed(3);
  using first = await tower.forward(item.features);
  using second = await tower.forward(item.features);
  await tower.seed(3);
  using again = await tower.forward(item.features);
  t.is(await relativeNorm(again.poolerOutput, first.poolerOutput), 0);
  t.true((await relativeNorm(second.poolerOutput, first.poolerOutput)) > 1e-3);
  const state = await tower.state();
  t.is(await state["audio_model.audio_encoder.bn0.num_batches_tracked"]!.item(), 3);
  for (const tensor of Object.values(state)) tensor.dispose();
});

test.serial("names what does not fit", async (t) => {
  using golden = await openGolden("audio-cnn6");
  using tower = await buildTower(golden);
  using brief = await Tensor.zeros([1, 1, 15, 64]);
  using fused = await Tensor.zeros([1, 4, 100, 64]);
  await t.throwsAsync(tower.forward(brief), { code: "E_SHAPE", message: /at least 16 frames/ });
  await t.throwsAsync(tower.forward(fused), { code: "E_SHAPE", message: /for features/ });
  tower.dispose();
  await t.throwsAsync(tower.forward(fused), { code: "E_DISPOSED" });
});
