import test from "ava";
import type { ExecutionContext } from "ava";
import { createPlan } from "../lib/diffusion/plan.js";
import { parseSchedulerConfig } from "../lib/diffusion/scheduler-config.js";
import { qualities } from "../lib/musicldm/quality.js";
import type { MusicLDM } from "../lib/musicldm/musicldm.js";
import { presets } from "../lib/musicldm/presets.js";
import type { GenerateOptions } from "../lib/musicldm/types.js";
import type { ProgressEvent } from "../lib/runtime/abort.js";
import { watchEvaluations } from "./helpers/evaluations.js";
import { assertNothingLeft, distance, openDebug } from "./helpers/model.js";
import { declareLifetimeTest } from "./helpers/tensor-ops.js";

declareLifetimeTest();

const clip = { prompt: "a", seconds: 0.3, steps: 6, seed: 1, output: "latent" } as const;
const config = parseSchedulerConfig(presets.debug.scheduler);

async function latentsOf(model: MusicLDM, options: Partial<GenerateOptions>) {
  const { latents } = await model.generate({ ...clip, ...options });
  using owned = latents!;
  return await owned.floats();
}

const passes = async (model: MusicLDM, options: Partial<GenerateOptions>) =>
  watchEvaluations(async () => latentsOf(model, options));

/** Noise levels of a run, from the noisiest. */
function levelsOf(settings: Parameters<typeof createPlan>[1]): readonly number[] {
  return createPlan(config, settings).steps.map(({ level }) => level.sigma / level.alpha);
}

test.serial("an interval that covers all steps changes no bit", async (t) => {
  using model = await openDebug();
  for (const scheduler of [undefined, "ddim", "heun"] as const) {
    const options = scheduler ? { scheduler } : {};
    const whole = await latentsOf(model, options);
    const levels = levelsOf({ ...(scheduler && { solver: scheduler }), steps: clip.steps });
    const [high, low] = [Math.max(...levels), Math.min(...levels)];
    const covered = await latentsOf(model, { ...options, guidanceInterval: [high + 1, low / 2] });
    t.deepEqual(covered, whole);
  }
});

test.serial("outside the interval the conditional half runs alone", async (t) => {
  using model = await openDebug();
  const levels = levelsOf({ steps: clip.steps });
  const guidanceInterval = [levels[1]! * 1.01, levels[3]! * 0.99] as const;
  const rows = ["predict 1", ...Array<string>(3).fill("predict 2"), "predict 1", "predict 1"];
  t.deepEqual(await passes(model, { guidanceInterval }), rows);
  const never = [levels[0]! * 3, levels[0]! * 2] as const;
  const unguided = await latentsOf(model, { guidanceScale: 1 });
  t.deepEqual(await latentsOf(model, { guidanceInterval: never }), unguided);
  const negativePrompt = "b";
  t.deepEqual(await latentsOf(model, { guidanceInterval: never, negativePrompt }), unguided);
  const some = await latentsOf(model, { guidanceInterval });
  const whole = await latentsOf(model, {});
  t.true(distance(some, whole) > 0 && distance(some, unguided) > 0);
  const { settings } = await model.generate({ ...clip, output: "waveform", guidanceInterval });
  t.deepEqual(settings.guidanceInterval, guidanceInterval);
});

test.serial("an interval of 1 changes no bit", async (t) => {
  using model = await openDebug();
  for (const scheduler of ["unipc", "heun", "euler-ancestral"] as const) {
    const options = { scheduler, count: 3, batchSize: 2 };
    const whole = await latentsOf(model, options);
    for (const branch of [0, 7]) {
      const deepCache = { interval: 1, branch };
      t.deepEqual(await latentsOf(model, { ...options, deepCache }), whole);
    }
  }
});

test.serial("every n-th evaluation runs the whole network, in each batch anew", async (t) => {
  using model = await openDebug();
  const [keep, skip] = ["predictKeeping 2", "predictShallow 2"];
  const deepCache = { interval: 3 };
  t.deepEqual(await passes(model, { deepCache }), [keep, skip, skip, keep, skip, skip]);
  t.deepEqual(await passes(model, { deepCache, steps: 2, count: 2 }), [keep, skip, keep, skip]);
  const heun = { deepCache, scheduler: "heun", steps: 3 } as const;
  t.deepEqual(await passes(model, heun), [keep, skip, skip, keep, skip]);
  t.deepEqual(await passes(model, { ...heun, guidanceScale: 1, steps: 1 }), ["predictKeeping 1"]);
});

test.serial("a feature outlives the end of guidance, but not its start", async (t) => {
  using model = await openDebug();
  const levels = levelsOf({ steps: clip.steps });
  const deepCache = { interval: 4, branch: 2 };
  const guidanceInterval = [levels[1]! * 1.01, levels[2]! * 0.99] as const;
  const seen = await passes(model, { deepCache, guidanceInterval });
  const whole = ["predictKeeping 1", "predictKeeping 2", "predictShallow 2"];
  t.deepEqual(seen, [...whole, "predictShallow 1", "predictShallow 1", "predictKeeping 1"]);
});

test.serial("a cached run is near the whole one, whatever the solver", async (t) => {
  using model = await openDebug();
  for (const scheduler of ["unipc", "heun", "ddim", "pndm", "euler-ancestral"] as const) {
    const options = { scheduler, steps: 10 };
    const whole = await latentsOf(model, options);
    const errors: number[] = [];
    for (const branch of [0, 3, 7]) {
      const cached = await latentsOf(model, { ...options, deepCache: { interval: 2, branch } });
      errors.push(distance(cached, whole));
    }
    t.log(scheduler, errors.map((error) => error.toExponential(1)).join(" "));
    t.true(errors.every((error) => error > 0 && error < 0.3));
  }
});

test.serial("a batch equals its items", async (t) => {
  using model = await openDebug();
  const options = { count: 3, deepCache: { interval: 2, branch: 1 } };
  const together = await latentsOf(model, { ...options, batchSize: 3 });
  t.true(distance(together, await latentsOf(model, options)) < 1e-5);
});

test.serial("an edit saves as well", async (t) => {
  using model = await openDebug();
  const samples = Float32Array.from({ length: 8000 }, (_, i) => Math.sin(i / 9));
  const mask = [{ startSeconds: 0.1, endSeconds: 0.3 }];
  const base = { prompt: "a", audio: { samples, sampleRate: 16_000 }, seed: 1 };
  const edit = async (options: object) => {
    const { latents } = await model.edit({ ...base, output: "latent", ...options });
    latents?.dispose();
  };
  const deepCache = { interval: 2 };
  const [keep, skip] = ["predictKeeping 2", "predictShallow 2"];
  const varied = watchEvaluations(async () => edit({ strength: 0.5, steps: 6, deepCache }));
  t.deepEqual(await varied, [keep, skip, keep]);
  const filled = watchEvaluations(async () => edit({ mask, steps: 2, deepCache }));
  t.deepEqual(await filled, [keep, skip]);
});

test.serial("an abort frees the feature", async (t) => {
  using model = await openDebug();
  const controller = new AbortController();
  const onProgress = ({ stage, step }: ProgressEvent) => {
    if (stage === "denoise" && step === 2) controller.abort();
  };
  const { signal } = controller;
  await assertNothingLeft(t, async () => {
    const options = { ...clip, deepCache: { interval: 3 }, signal, onProgress };
    await t.throwsAsync(model.generate(options), { code: "E_ABORTED" });
  });
});

test.serial("presets give way to options", async (t) => {
  using model = await openDebug();
  const settings = async (options: Partial<GenerateOptions>) => {
    const base = { prompt: "a", seconds: 0.1, seed: 1, output: "mel" } as const;
    const result = await model.generate({ ...base, ...options });
    result.mel?.dispose();
    const { scheduler, steps, sigmas, deepCache } = result.settings;
    return { scheduler, steps, ...(sigmas && { sigmas }), ...(deepCache && { deepCache }) };
  };
  t.deepEqual(await settings({}), qualities.standard);
  t.deepEqual(await settings({ quality: "standard" }), qualities.standard);
  t.like(await settings({ quality: "reference" }), { scheduler: "ddim", steps: 200 });
  t.deepEqual(await settings({ quality: "draft" }), qualities.draft);
  t.like(await settings({ quality: "reference", steps: 3 }), { scheduler: "ddim", steps: 3 });
  t.like(await settings({ quality: "draft", sigmas: "karras" }), { sigmas: "karras" });
  t.deepEqual(await settings({ quality: "draft", scheduler: "pndm", deepCache: { interval: 1 } }), {
    scheduler: "pndm",
    steps: 50,
    deepCache: { interval: 1, branch: 0 },
  });
});

async function refuse(t: ExecutionContext, model: MusicLDM, options: object, name: RegExp) {
  const call = model.generate({ ...clip, ...options });
  const error = await t.throwsAsync(call, { code: "E_ARGUMENT" }, JSON.stringify(options));
  t.regex(error?.message ?? "", name);
}

test.serial("invalid input", async (t) => {
  using model = await openDebug();
  const pairs = [[1], [1, 2], [1, 1], [2, -1], [NaN, 1], ["2", 1], [3, 2, 1], "2:1", null, {}];
  for (const guidanceInterval of pairs) {
    await refuse(t, model, { guidanceInterval }, /for guidanceInterval/);
  }
  for (const interval of [0, -1, 1.5, 1001, "2", undefined]) {
    await refuse(t, model, { deepCache: { interval } }, /for deepCache\.interval/);
  }
  for (const branch of [-1, 8, 0.5, "0"]) {
    await refuse(t, model, { deepCache: { interval: 2, branch } }, /for deepCache\.branch/);
  }
  await refuse(t, model, { deepCache: 2 }, /\{ interval, branch \} for deepCache/);
  await refuse(t, model, { quality: "best" }, /draft, standard, reference for quality/);
});
