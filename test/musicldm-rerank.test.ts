import test from "ava";
import { Clap } from "../lib/clap/clap.js";
import { MusicLDM } from "../lib/musicldm/musicldm.js";
import type { GenerateOptions } from "../lib/musicldm/types.js";
import { memory } from "../lib/runtime/native.js";
import { Tensor } from "../lib/tensor/tensor.js";
import { furthest, makeClap } from "./helpers/clap.js";
import { assertNothingLeft, debugFolder, openDebug } from "./helpers/model.js";

const start = memory();
const prompt = ["bells", "a drum roll"];
const quick = { prompt, count: 3, seed: 4, seconds: 0.3, steps: 2 } as const;

test.after.always("lifetime: no handle is left", (t) => {
  t.deepEqual(memory(), start);
});

test.serial("candidates come best first per prompt, with the scores of CLAP", async (t) => {
  using model = await openDebug();
  const plain = await model.generate(quick);
  const { waveforms, seeds, scores = [] } = await model.generate({ ...quick, rerank: true });
  t.is(plain.scores, undefined);
  t.is(scores.length, 6);
  using clap = await Clap.fromPretrained(debugFolder);
  const texts = await clap.embedText(prompt);
  for (const [item, seed] of seeds.entries()) {
    const old = plain.seeds.indexOf(seed);
    t.deepEqual(waveforms[item], plain.waveforms[old]);
    t.is(Math.floor(item / 3), Math.floor(old / 3));
    const clip = { channels: [waveforms[item]!], sampleRate: 16_000 };
    const [cosines] = await clap.similarity(await clap.embedAudio([clip]), texts);
    t.true(Math.abs(cosines![Math.floor(item / 3)]! - scores[item]!) < 1e-5);
    if (item % 3 > 0) t.true(scores[item]! <= scores[item - 1]!);
  }
});

test.serial("mels and latents come in the same order", async (t) => {
  using model = await openDebug();
  const options = { ...quick, prompt: "bells", count: 6, intermediates: true } as const;
  const plain = await model.generate(options);
  const ranked = await model.generate({ ...options, rerank: true });
  t.notDeepEqual(ranked.seeds, plain.seeds);
  for (const key of ["mel", "latents"] as const) {
    const [before, after] = [plain[key]!, ranked[key]!];
    const size = before.size / 6;
    const [old, now] = [await before.floats(), await after.floats()];
    for (const [item, seed] of ranked.seeds.entries()) {
      const from = (seed - 4) * size;
      t.deepEqual(now.slice(item * size, (item + 1) * size), old.slice(from, from + size));
    }
    before.dispose();
    after.dispose();
  }
});

test.serial("another CLAP may judge, and judges otherwise", async (t) => {
  using model = await openDebug();
  using clap = await Clap.fromPretrained(await makeClap("debug", 9));
  const own = await model.generate({ ...quick, rerank: true });
  const other = await model.generate({ ...quick, rerank: { clap } });
  t.true(furthest([...own.scores!].sort(), [...other.scores!].sort()) > 1e-4);
  const [text] = await clap.embedText(["bells"]);
  t.is(text?.length, clap.embeddingSize);
});

test.serial("embeddings stand for prompts where the own CLAP judges", async (t) => {
  using model = await openDebug();
  using clap = await Clap.fromPretrained(debugFolder);
  const rows = await clap.embedText(prompt);
  using promptEmbeds = await Tensor.from(
    rows.flatMap((row) => [...row]),
    [2, clap.embeddingSize],
  );
  const { prompt: _, ...rest } = quick;
  const byText = await model.generate({ ...quick, rerank: true });
  const byRow = await model.generate({ ...rest, promptEmbeds, rerank: true });
  t.true(furthest(byRow.scores!, byText.scores!) < 1e-4);
  await t.throwsAsync(model.generate({ ...rest, promptEmbeds, rerank: { clap } }), {
    code: "E_ARGUMENT",
    message: /another CLAP/,
  });
});

test.serial("refuses what leaves nothing to judge, and a folder without ears", async (t) => {
  using model = await openDebug();
  const code = "E_ARGUMENT";
  for (const output of ["mel", "latent"] as const) {
    await t.throwsAsync(model.generate({ ...quick, output, rerank: true }), { code });
  }
  const wrong = { ...quick, rerank: "yes" } as unknown as GenerateOptions;
  await t.throwsAsync(model.generate(wrong), { code, message: /true, false or/ });
  using deaf = await MusicLDM.fromPretrained("test/goldens/audioldm-tiny");
  await t.throwsAsync(deaf.generate({ prompt: "a", seconds: 0.3, rerank: true }), {
    code,
    message: /Clap\.fromPretrained.*no audio tower/,
  });
});

test.serial("the audio tower goes with the model", async (t) => {
  await assertNothingLeft(t, async () => {
    using model = await openDebug();
    await model.generate({ ...quick, rerank: true });
  });
  await assertNothingLeft(t, async () => {
    using model = await openDebug();
    const signal = AbortSignal.abort();
    await t.throwsAsync(model.generate({ ...quick, rerank: true, signal }), { code: "E_ABORTED" });
  });
});
