import test from "ava";
import type { ExecutionContext } from "ava";
import type { MusicLDM } from "../lib/musicldm/musicldm.js";
import type { GenerateOptions } from "../lib/musicldm/types.js";
import type { ProgressEvent } from "../lib/runtime/abort.js";
import { Tensor } from "../lib/tensor/tensor.js";
import { openDebug } from "./helpers/model.js";
import { declareLifetimeTest } from "./helpers/tensor-ops.js";

declareLifetimeTest();

const clip = { prompt: "a", seconds: 0.1, steps: 1, seed: 1 } as const;

type Bad = readonly [options: object, name: RegExp, code?: string];

/** Assert that every set of options is refused with an error that names what is wrong. */
async function refuse(t: ExecutionContext, model: MusicLDM, cases: readonly Bad[]) {
  for (const [options, name, code = "E_ARGUMENT"] of cases) {
    const call = model.generate({ ...clip, ...options });
    const error = await t.throwsAsync(call, { code }, JSON.stringify(options));
    t.regex(error?.message ?? "", name);
  }
}

test.serial("a clip has exactly the samples that its seconds ask for", async (t) => {
  using model = await openDebug();
  const samples = { 0.1: 1600, 0.1000625: 1601, 0.11: 1760, 0.123: 1968, 0.29: 4640, 0.31: 4960 };
  const longer = { 0.5: 8000, 0.57: 9120, 0.7: 11_200, 0.99999: 15_999, 1.15: 18_400, 2.3: 36_800 };
  for (const [seconds, wanted] of Object.entries({ ...samples, ...longer })) {
    const { waveforms, settings } = await model.generate({ ...clip, seconds: Number(seconds) });
    t.is(waveforms[0]?.length, wanted, seconds);
    t.is(settings.seconds, Number(seconds));
  }
  const { waveforms } = await model.generate({ prompt: "a", steps: 1 });
  t.is(waveforms[0]?.length, model.defaultSeconds * model.sampleRate);
});

test.serial("defaults are reported", async (t) => {
  using model = await openDebug();
  const { settings, warnings, sampleRate } = await model.generate({ prompt: "a", seconds: 0.1 });
  const { weightsHash, version, ...others } = settings;
  t.deepEqual(others, {
    prompts: ["a"],
    negativePrompts: [""],
    count: 1,
    seconds: 0.1,
    steps: 20,
    scheduler: "unipc",
    sigmas: "exponential",
    guidanceScale: 2,
    eta: 0,
    loop: false,
  });
  t.is(weightsHash, await model.weightsHash());
  t.regex(version, /^\d+\.\d+\.\d+/);
  t.deepEqual([warnings, sampleRate], [[], 16_000]);
});

test.serial("options at their limits are taken", async (t) => {
  using model = await openDebug();
  const good: readonly Partial<GenerateOptions>[] = [
    { guidanceScale: 0 },
    { guidanceScale: 100 },
    { scheduler: "ddim", eta: 1 },
    { seed: 0 },
    { seed: Number.MAX_SAFE_INTEGER },
    { batchSize: 10_000 },
    { negativePrompt: "" },
    { prompt: "" },
    { prompt: "日本 🎵 \0 \ud800" },
    { sigmas: "karras" },
  ];
  for (const options of good) {
    const { waveforms } = await model.generate({ ...clip, ...options });
    t.true(waveforms[0]?.every(Number.isFinite), JSON.stringify(options));
  }
  const controller = new AbortController();
  const seen: ProgressEvent[] = [];
  const onProgress = (event: ProgressEvent) => {
    seen.push(event);
    if (event.stage === "denoise") controller.abort();
  };
  const { signal } = controller;
  const most = { ...clip, steps: 1000, signal, onProgress };
  await t.throwsAsync(model.generate(most), { code: "E_ABORTED" });
  t.deepEqual(seen.at(-1), { stage: "denoise", step: 1, totalSteps: 1000 });
});

test.serial("prompts beyond the limit are cut with a warning", async (t) => {
  using model = await openDebug();
  const long = "x".repeat(600);
  const { warnings, waveforms } = await model.generate({ ...clip, prompt: long });
  t.log(warnings[0]);
  t.is(warnings.length, 1);
  t.regex(warnings[0]!, /^Prompt "x{40}…" was cut to 512 tokens/);
  const longer = await model.generate({ ...clip, prompt: `${long}y` });
  t.deepEqual(longer.waveforms, waveforms);
  const negative = await model.generate({ ...clip, negativePrompt: long });
  t.regex(negative.warnings[0]!, /^Negative prompt/);
  t.deepEqual((await model.generate({ ...clip, prompt: "x".repeat(510) })).warnings, []);
});

test.serial("invalid input: numbers", async (t) => {
  using model = await openDebug();
  const number = (name: string, ...values: readonly unknown[]): Bad[] =>
    values.map((value) => [{ [name]: value }, new RegExp(`for ${name} but received`)]);
  await refuse(t, model, [
    ...number("seconds", 0, 0.09, 0.0999999, -1, NaN, Infinity, "1", null),
    [{ seconds: 1e9 }, /memory for seconds .* GiB/, "E_OUT_OF_MEMORY"],
    [{ seconds: 1e300 }, /memory for seconds/, "E_OUT_OF_MEMORY"],
    ...number("steps", 0, 1001, 1.5, -1, NaN, "2"),
    [{ scheduler: "ddim", steps: 1000 }, /stay below 1000 for steps with steps_offset 1/],
    ...number("guidanceScale", -0.1, 100.1, NaN, Infinity, "2"),
    ...number("eta", -0.1, 1.1, NaN),
    [{ eta: 0.5 }, /ddim.* for eta/],
    ...number("count", 0, 1.5, -1, 10_001),
    ...number("batchSize", 0, 1.5, -1),
    ...number("seed", -1, 0.5, 2 ** 53, NaN, "1", [], [1, 2], [0.5]),
    [{ seed: Number.MAX_SAFE_INTEGER, count: 2 }, /for seed/],
    [{ seed: [1], count: 2 }, /one seed for each of 2 items for seed/],
  ]);
});

test.serial("invalid input: texts and names", async (t) => {
  using model = await openDebug();
  await refuse(t, model, [
    [{ prompt: undefined }, /prompt and promptEmbeds but received "neither"/],
    ...[1, null, [], [1], ["a", null], {}].map((prompt): Bad => [{ prompt }, /for prompt/]),
    [{ negativePrompt: 1 }, /for negativePrompt/],
    [{ negativePrompt: [] }, /for negativePrompt/],
    [{ negativePrompt: ["a", "b"] }, /1 or 1 texts for negativePrompt/],
    [{ prompt: ["a", "b", "c"], negativePrompt: ["a", "b"] }, /1 or 3 texts/],
    [{ scheduler: "magic" }, /one of ddim, .* for scheduler but received "magic"/],
    [{ sigmas: "cubic" }, /karras.* for sigmas/],
    [{ scheduler: "ddim", sigmas: "karras" }, /for sigmas/],
    [{ output: "midi" }, /waveform, mel, latent for output/],
    [{ intermediates: 1 }, /for intermediates/],
    [{ loop: "yes" }, /for loop/],
    [{ guidance: 2 }, /known options for options but received "guidance"/],
    [{ strength: 0.5 }, /strength/],
  ]);
  for (const options of [undefined, null, 1, "a prompt"]) {
    const call = model.generate(options as never);
    await t.throwsAsync(call, { code: "E_ARGUMENT", message: /for options/ });
  }
});

test.serial("invalid input: tensors", async (t) => {
  using model = await openDebug();
  const make = async (...shape: readonly number[]) => Tensor.randn(shape, { seed: 1 });
  using embeds = await make(2, 64);
  using narrow = await make(1, 63);
  using flat = await make(64);
  using empty = await make(0, 64);
  using three = await make(3, 64);
  using whole = await embeds.to("int64");
  using latents = await make(1, 8, 3, 16);
  using short = await make(1, 8, 2, 16);
  using two = await make(2, 8, 3, 16);
  using integers = await latents.to("int64");
  const prompt = undefined;
  await refuse(t, model, [
    [{ promptEmbeds: embeds }, /prompt and promptEmbeds but received "both"/],
    [{ prompt, promptEmbeds: [1, 2] }, /a Tensor for promptEmbeds/],
    [{ prompt, promptEmbeds: narrow }, /\[prompts, 64\] for promptEmbeds/, "E_SHAPE"],
    [{ prompt, promptEmbeds: flat }, /for promptEmbeds/, "E_SHAPE"],
    [{ prompt, promptEmbeds: empty }, /for promptEmbeds/, "E_SHAPE"],
    [{ prompt, promptEmbeds: whole }, /for promptEmbeds/, "E_DTYPE"],
    [{ negativePromptEmbeds: narrow }, /for negativePromptEmbeds/, "E_SHAPE"],
    [{ negativePromptEmbeds: whole }, /for negativePromptEmbeds/, "E_DTYPE"],
    [{ prompt: ["a", "b"], negativePromptEmbeds: three }, /1 or 2 rows/, "E_SHAPE"],
    [{ negativePrompt: "b", negativePromptEmbeds: embeds }, /received "both"/],
    [{ latents: new Float32Array(4) }, /a Tensor for latents/],
    [{ latents: short }, /\[1, 8, 3, 16\] for latents/, "E_SHAPE"],
    [{ latents: two }, /\[1, 8, 3, 16\] for latents/, "E_SHAPE"],
    [{ latents: embeds }, /for latents/, "E_SHAPE"],
    [{ latents, count: 2 }, /\[2, 8, 3, 16\] for latents/, "E_SHAPE"],
    [{ latents: integers }, /for latents/, "E_DTYPE"],
  ]);
  using nan = await latents.mul(NaN);
  const error = await t.throwsAsync(model.generate({ ...clip, latents: nan }), {
    code: "E_NONFINITE",
  });
  t.like(error, { details: { stage: "denoise", step: 1 } });
  latents.dispose();
  await t.throwsAsync(model.generate({ ...clip, latents }), { code: "E_DISPOSED" });
});

test.serial("half-precision latents and embeddings are taken as float32", async (t) => {
  using model = await openDebug();
  using latents = await Tensor.randn([1, 8, 3, 16], { seed: 1, dtype: "bfloat16" });
  using embeds = await Tensor.randn([1, 64], { seed: 2, dtype: "float16" });
  using wideLatents = await latents.to("float32");
  using wideEmbeds = await embeds.to("float32");
  const call = { seconds: 0.1, steps: 2, negativePrompt: "b" };
  const half = await model.generate({ ...call, latents, promptEmbeds: embeds });
  const whole = await model.generate({ ...call, latents: wideLatents, promptEmbeds: wideEmbeds });
  t.deepEqual(half.waveforms, whole.waveforms);
});
