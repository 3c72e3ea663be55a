import test from "ava";
import type { MusicLDM } from "../lib/musicldm/musicldm.js";
import type { GenerateOptions } from "../lib/musicldm/types.js";
import { Generator } from "../lib/tensor/generator.js";
import { Tensor } from "../lib/tensor/tensor.js";
import { distance, openDebug } from "./helpers/model.js";
import { declareLifetimeTest } from "./helpers/tensor-ops.js";

declareLifetimeTest();

const clip = { seconds: 0.2, steps: 2 } as const;
const prompts = ["piano", "a longer text about drums"] as const;
const negatives = ["noise", "hum"] as const;
/** Two prompts, three items of each. */
const six = { ...clip, prompt: prompts, negativePrompt: negatives, count: 3 } as const;
const stochastic = ["ddim", "euler-ancestral", "dpmsolver++-sde"] as const;

async function waveformsOf(model: MusicLDM, options: GenerateOptions) {
  return (await model.generate(options)).waveforms;
}

/** Latents and waveform of every item. */
async function itemsOf(model: MusicLDM, options: GenerateOptions) {
  const result = await model.generate({ ...options, intermediates: true });
  using latents = result.latents!;
  result.mel!.dispose();
  const values = await latents.floats();
  const size = values.length / result.seeds.length;
  return result.waveforms.map((waveform, i) => ({
    waveform,
    latents: values.slice(i * size, (i + 1) * size),
    seed: result.seeds[i]!,
  }));
}

for (const [batchSize, limit] of [
  [1, 0],
  // Matrix products of other sizes add in another order; the vocoder's wide weights enlarge that.
  [4, 1e-5],
  [6, 1e-5],
] as const) {
  test.serial(`items of a batch equal the same items alone: ${batchSize} at a time`, async (t) => {
    using model = await openDebug();
    const batch = await itemsOf(model, { ...six, seed: 7, batchSize });
    t.deepEqual(
      batch.map(({ seed }) => seed),
      [7, 8, 9, 10, 11, 12],
    );
    const norms: (readonly [number, number])[] = [];
    for (const [i, item] of batch.entries()) {
      const [prompt, negativePrompt] = [prompts[i < 3 ? 0 : 1], negatives[i < 3 ? 0 : 1]];
      const { seed } = item;
      const [alone] = await itemsOf(model, { ...clip, prompt, negativePrompt, seed });
      norms.push([
        distance(item.latents, alone!.latents),
        distance(item.waveform, alone!.waveform),
      ]);
    }
    const latents = Math.max(...norms.map(([norm]) => norm));
    const waveform = Math.max(...norms.map(([, norm]) => norm));
    t.log(`latents ${latents.toExponential(1)} of ${limit}, waveform ${waveform.toExponential(1)}`);
    t.true(latents <= limit && waveform <= 10 * limit, String(norms));
    t.true(distance(batch[0]!.waveform, batch[1]!.waveform) > 1e-2, "seeds make a difference");
  });
}

test.serial("so do items of stochastic solvers", async (t) => {
  using model = await openDebug();
  for (const scheduler of stochastic) {
    const eta = scheduler === "ddim" ? 1 : 0;
    const call = { ...clip, scheduler, eta, prompt: "a", steps: 3 };
    const pair = await itemsOf(model, { ...call, count: 2, seed: [3, 5], batchSize: 2 });
    const [alone] = await itemsOf(model, { ...call, seed: 5 });
    const norm = distance(pair[1]!.latents, alone!.latents);
    t.log(scheduler, norm.toExponential(1));
    t.true(norm <= 1e-5);
  }
});

test.serial("the prompt makes a difference", async (t) => {
  using model = await openDebug();
  const call = { ...clip, seed: 1, guidanceScale: 5 };
  const [piano] = await waveformsOf(model, { ...call, prompt: "piano" });
  const [drums] = await waveformsOf(model, { ...call, prompt: "drums" });
  const [without] = await waveformsOf(model, { ...call, prompt: "piano", negativePrompt: "hum" });
  t.notDeepEqual(piano, drums);
  t.notDeepEqual(piano, without);
});

test.serial("seeds are kept, returned, and reproduce", async (t) => {
  using model = await openDebug();
  const call = { ...clip, prompt: "a", count: 2 };
  const random = await model.generate(call);
  const other = await model.generate(call);
  t.is(new Set([...random.seeds, ...other.seeds]).size, 4);
  t.true(random.seeds.every((seed) => Number.isSafeInteger(seed) && seed >= 0));
  const again = await model.generate({ ...call, seed: random.seeds });
  t.deepEqual(again.waveforms, random.waveforms);
  t.deepEqual(again.seeds, random.seeds);
  t.notDeepEqual(other.waveforms, random.waveforms);
  const equal = await model.generate({ ...call, seed: [4, 4] });
  t.deepEqual(equal.waveforms[0], equal.waveforms[1]);
});

test.serial("several calls at once give what each gives alone", async (t) => {
  using model = await openDebug();
  const calls = [1, 2, 3].map((seed) => ({ ...clip, prompt: `text ${seed}`, seed }));
  const alone: (readonly Float32Array[])[] = [];
  for (const call of calls) alone.push(await waveformsOf(model, call));
  t.deepEqual(await Promise.all(calls.map(async (call) => waveformsOf(model, call))), alone);
});

test.serial("draws elsewhere make no difference, nor do they notice", async (t) => {
  using model = await openDebug();
  using generator = new Generator(3);
  const call = { ...clip, prompt: "a", seed: 3, scheduler: "ddim", eta: 1 } as const;
  const before = await waveformsOf(model, call);
  const drawing = Array.from({ length: 20 }, async () => {
    using drawn = await Tensor.randn([100], { generator });
    return await drawn.floats();
  });
  const [during, ...draws] = await Promise.all([waveformsOf(model, call), ...drawing]);
  t.deepEqual(during, before);
  using fresh = new Generator(3);
  for (const values of draws) {
    using same = await Tensor.randn([100], { generator: fresh });
    t.deepEqual(await same.floats(), values);
  }
});

test.serial("invalid input", async (t) => {
  using model = await openDebug();
  for (const seed of [[1, 2], [1, 2, 3, 4, 5, 6, 7], [], -1, [1, 2, 3, 4, 5, 0.5]]) {
    await t.throwsAsync(model.generate({ ...six, seed }), { code: "E_ARGUMENT", message: /seed/ });
  }
});
