import test from "ava";
import type { ExecutionContext } from "ava";
import type { MusicLDM } from "../lib/musicldm/musicldm.js";
import type { GenerateOptions } from "../lib/musicldm/types.js";
import type { ProgressEvent } from "../lib/runtime/abort.js";
import { assertNothingLeft, openDebug } from "./helpers/model.js";
import { declareLifetimeTest } from "./helpers/tensor-ops.js";

declareLifetimeTest();

const clip = { prompt: "a", seconds: 0.2, steps: 2, seed: 1 } as const;
/** Long enough for an abort to come while a network runs. */
const long = { ...clip, seconds: 8, steps: 1 } as const;
const audio = { samples: Float32Array.from({ length: 8000 }, (_, i) => Math.sin(i / 9)) };
const source = { ...audio, sampleRate: 16_000 };

async function waveformOf(model: MusicLDM, options: Partial<GenerateOptions> = {}) {
  return (await model.generate({ ...clip, ...options })).waveforms[0]!;
}

test.serial("a signal that fired before the start", async (t) => {
  using model = await openDebug();
  const signal = AbortSignal.abort();
  const onProgress = () => t.fail("nothing may start");
  await assertNothingLeft(t, async () => {
    const call = { signal, onProgress };
    await t.throwsAsync(model.generate({ ...clip, ...call }), { code: "E_ABORTED" });
    const edit = { prompt: "a", audio: source, strength: 1, ...call };
    await t.throwsAsync(model.edit(edit), { code: "E_ABORTED" });
    await t.throwsAsync(model.encodeAudio(source, call), { code: "E_ABORTED" });
  });
});

/** Abort at the first event of a stage, at once or a little later; nothing may follow. */
async function abortAt(t: ExecutionContext, model: MusicLDM, stage: string, delay?: number) {
  const controller = new AbortController();
  const late: ProgressEvent[] = [];
  let isSeen = false;
  const onProgress = (event: ProgressEvent) => {
    if (controller.signal.aborted) late.push(event);
    if (event.stage !== stage || isSeen) return;
    isSeen = true;
    if (delay === undefined) controller.abort();
    else setTimeout(() => controller.abort(), delay);
  };
  const options = { ...(delay === undefined ? clip : long), onProgress };
  const { signal } = controller;
  await t.throwsAsync(model.generate({ ...options, signal }), { code: "E_ABORTED" });
  t.true(isSeen);
  t.log(`${stage}, ${delay ?? 0} ms: ${late.length} events later`);
  t.true(late.length <= 1, JSON.stringify(late));
}

for (const stage of ["text", "denoise", "decode", "vocode"]) {
  test.serial(`an abort in stage ${stage}`, async (t) => {
    using model = await openDebug();
    const before = await waveformOf(model);
    await assertNothingLeft(t, async () => {
      await abortAt(t, model, stage);
      await abortAt(t, model, stage, 4);
    });
    t.deepEqual(await waveformOf(model), before);
  });
}

test.serial("an abort in each stage of an edit", async (t) => {
  using model = await openDebug();
  for (const stage of ["text", "denoise", "decode", "vocode"]) {
    const controller = new AbortController();
    const onProgress = (event: ProgressEvent) => {
      if (event.stage === stage) controller.abort();
    };
    const edit = { ...clip, seconds: 0.8, audio: source, signal: controller.signal, onProgress };
    await assertNothingLeft(t, async () =>
      t.throwsAsync(model.edit(edit), { code: "E_ABORTED" }, stage),
    );
  }
});

test.serial("an abort of one of two leaves the other as it is", async (t) => {
  using model = await openDebug();
  const alone = await waveformOf(model, { steps: 4 });
  const controller = new AbortController();
  const onProgress = ({ stage, step }: ProgressEvent) => {
    if (stage === "denoise" && step === 2) controller.abort();
  };
  const aborted = model.generate({ ...clip, steps: 4, signal: controller.signal, onProgress });
  const [left, right] = await Promise.all([
    t.throwsAsync(aborted, { code: "E_ABORTED" }),
    waveformOf(model, { steps: 4 }),
  ]);
  t.truthy(left);
  t.deepEqual(right, alone);
});

test.serial("an abort after the end changes nothing", async (t) => {
  using model = await openDebug();
  const controller = new AbortController();
  const { signal } = controller;
  const waveform = await waveformOf(model, { signal });
  controller.abort();
  t.deepEqual(waveform, await waveformOf(model));
  const fresh = new AbortController().signal;
  t.deepEqual(await waveformOf(model, { signal: fresh }), waveform);
});

test.serial("dispose while a generation runs", async (t) => {
  for (const stage of ["text", "denoise", "decode", "vocode"]) {
    await assertNothingLeft(t, async () => {
      const model = await openDebug();
      const onProgress = (event: ProgressEvent) => {
        if (event.stage === stage) model.dispose();
      };
      const running = model.generate({ ...clip, onProgress });
      const error = await running.then(
        () => undefined,
        (thrown: unknown) => thrown as { readonly code: string },
      );
      t.log(stage, error?.code ?? "finished");
      t.true([undefined, "E_DISPOSED"].includes(error?.code), error?.code);
    });
  }
});

test.serial("dispose at any moment", async (t) => {
  for (const delay of [0, 1, 3, 7, 15, 31]) {
    await assertNothingLeft(t, async () => {
      const model = await openDebug();
      setTimeout(() => model.dispose(), delay);
      const runs = [model.generate(clip), model.edit({ ...clip, seconds: 0.8, audio: source })];
      for (const run of await Promise.allSettled(runs)) {
        if (run.status === "rejected") t.like(run.reason, { code: "E_DISPOSED" });
      }
      model.dispose();
    });
  }
});

test.serial("an exception of onProgress is the caller's, at every event", async (t) => {
  using model = await openDebug();
  const events: string[] = [];
  const note = ({ stage, step }: ProgressEvent) => events.push(`${stage} ${step}`);
  await model.generate({ ...clip, onProgress: note });
  t.deepEqual(events.slice(0, 4), ["text 0", "text 1", "denoise 1", "denoise 2"]);
  for (const fatal of events) {
    const onProgress = ({ stage, step }: ProgressEvent) => {
      if (`${stage} ${step}` === fatal) throw new TypeError(fatal);
    };
    await assertNothingLeft(
      t,
      async () => {
        const options = { ...clip, intermediates: true, onProgress };
        await t.throwsAsync(model.generate(options), { message: fatal, instanceOf: TypeError });
      },
      fatal,
    );
  }
});

test.serial("invalid input", async (t) => {
  using model = await openDebug();
  const bad = async (options: object) =>
    t.throwsAsync(model.generate({ ...clip, ...options }), { code: "E_ARGUMENT" });
  t.regex((await bad({ signal: {} }))?.message ?? "", /AbortSignal for signal/);
  t.regex((await bad({ onProgress: 1 }))?.message ?? "", /a function for onProgress/);
});
