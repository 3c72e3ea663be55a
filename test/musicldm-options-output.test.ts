import test from "ava";
import type { MusicLDM } from "../lib/musicldm/musicldm.js";
import type { GenerateOptions, GenerationResult } from "../lib/musicldm/types.js";
import type { ProgressEvent } from "../lib/runtime/abort.js";
import { memory } from "../lib/runtime/native.js";
import { Tensor } from "../lib/tensor/tensor.js";
import { openDebug } from "./helpers/model.js";
import { watchEvaluations } from "./helpers/evaluations.js";
import { declareLifetimeTest } from "./helpers/tensor-ops.js";

declareLifetimeTest();

const clip = { prompt: "a", seconds: 0.2, steps: 2, seed: 1 } as const;

test.serial("a step is one UNet evaluation: two rows with guidance, one without", async (t) => {
  using model = await openDebug();
  const batches = async (options: Partial<GenerateOptions>) => {
    const seen = await watchEvaluations(async () => model.generate({ ...clip, ...options }));
    return seen.map((evaluation) => Number(evaluation.split(" ")[1]));
  };
  t.deepEqual(await batches({ guidanceScale: 2 }), [2, 2]);
  t.deepEqual(await batches({ guidanceScale: 1 }), [1, 1]);
  t.deepEqual(await batches({ guidanceScale: 0 }), [1, 1]);
  t.deepEqual(await batches({ guidanceScale: 1.01 }), [2, 2]);
  t.deepEqual(await batches({ count: 3, batchSize: 2 }), [4, 4, 2, 2]);
  t.deepEqual(await batches({ count: 3, batchSize: 3, guidanceScale: 1 }), [3, 3]);
});

test.serial("without guidance the negative prompt makes no difference", async (t) => {
  using model = await openDebug();
  const waveforms = async (options: Partial<GenerateOptions>) =>
    (await model.generate({ ...clip, ...options })).waveforms;
  const plain = await waveforms({ guidanceScale: 1 });
  t.deepEqual(await waveforms({ guidanceScale: 1, negativePrompt: "b" }), plain);
  t.notDeepEqual(await waveforms({ guidanceScale: 2 }), plain);
  t.deepEqual(await waveforms({ negativePrompt: "" }), await waveforms({}));
});

test.serial("embeddings in place of texts give the same", async (t) => {
  using model = await openDebug();
  using positive = await Tensor.randn([2, 64], { seed: 1 });
  using negative = await Tensor.randn([1, 64], { seed: 2 });
  using negatives = await negative.repeat([2, 1]);
  using second = await positive.slice(0, 1, 2);
  const call = { seconds: 0.2, steps: 2 };
  const embeds = { promptEmbeds: positive, negativePromptEmbeds: negative };
  const both = await model.generate({ ...call, ...embeds, count: 2, seed: 5 });
  t.deepEqual(both.settings.prompts, []);
  t.is(both.waveforms.length, 4);
  const each = { promptEmbeds: positive, negativePromptEmbeds: negatives };
  const spread = await model.generate({ ...call, ...each, count: 2, seed: 5 });
  t.deepEqual(spread.waveforms, both.waveforms);
  const one = { promptEmbeds: second, negativePromptEmbeds: negative };
  const alone = await model.generate({ ...call, ...one, seed: 8 });
  t.deepEqual(alone.waveforms[0], both.waveforms[3]);
});

test.serial("latents in place of noise: one item each, whatever the batches", async (t) => {
  using model = await openDebug();
  using latents = await Tensor.randn([3, 8, 5, 16], { seed: 1 });
  using last = await latents.slice(0, 2, 3);
  const call = { prompt: "a", steps: 2 };
  const three = await model.generate({ ...call, latents, count: 3, batchSize: 1 });
  t.deepEqual(
    three.waveforms.map(({ length }) => length),
    [3200, 3200, 3200],
  );
  const alone = await model.generate({ ...call, latents: last, seed: 9 });
  t.deepEqual(alone.waveforms[0], three.waveforms[2]);
});

async function shapesOf(result: GenerationResult) {
  const { waveforms, mel, latents } = result;
  const finite = [await mel?.allFinite(), await latents?.allFinite()];
  mel?.dispose();
  latents?.dispose();
  const samples = waveforms.map(({ length }) => length);
  return { samples, mel: mel?.shape, latents: latents?.shape, finite };
}

async function generated(model: MusicLDM, options: Partial<GenerateOptions>) {
  return shapesOf(await model.generate({ ...clip, prompt: ["a", "b"], count: 2, ...options }));
}

test.serial("outputs are what was asked for, and nothing else", async (t) => {
  using model = await openDebug();
  const before = memory();
  const [mel, latents] = [
    [4, 20, 64],
    [4, 8, 5, 16],
  ];
  const none = undefined;
  const samples = [3200, 3200, 3200, 3200];
  const waveform = { samples, mel: none, latents: none, finite: [none, none] };
  t.deepEqual(await generated(model, {}), waveform);
  t.deepEqual(memory(), before);
  const whole = { samples, mel, latents, finite: [true, true] };
  t.deepEqual(await generated(model, { intermediates: true }), whole);
  const mels = { samples: [], mel, latents: none, finite: [true, none] };
  t.deepEqual(await generated(model, { output: "mel" }), mels);
  const both = { ...whole, samples: [] };
  t.deepEqual(await generated(model, { output: "mel", intermediates: true }), both);
  const latent = { samples: [], mel: none, latents, finite: [none, true] };
  t.deepEqual(await generated(model, { output: "latent" }), latent);
  t.deepEqual(memory(), before);
});

test.serial("progress counts every stage to its end", async (t) => {
  using model = await openDebug();
  const events: ProgressEvent[] = [];
  const onProgress = (event: ProgressEvent) => events.push(event);
  await model.generate({ ...clip, count: 3, batchSize: 2, onProgress });
  const steps = (wanted: string) =>
    events
      .filter(({ stage }) => stage === wanted)
      .map(({ step, totalSteps }) => [step, totalSteps]);
  t.deepEqual(steps("text"), [
    [0, 1],
    [1, 1],
  ]);
  t.deepEqual(steps("denoise"), [
    [1, 4],
    [2, 4],
    [3, 4],
    [4, 4],
  ]);
  const decoded = [0, 1, 1, 2, 2, 3].map((step) => [step, 3]);
  t.deepEqual([steps("decode"), steps("vocode")], [decoded, decoded]);
});

test.serial("invalid input", async (t) => {
  using model = await openDebug();
  const bad = { ...clip, output: ["mel"] } as never;
  await t.throwsAsync(model.generate(bad), { code: "E_ARGUMENT", message: /output/ });
});
