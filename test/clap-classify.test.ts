import test from "ava";
import { Clap } from "../lib/clap/clap.js";
import { memory } from "../lib/runtime/native.js";
import { furthest, makeClap, sine } from "./helpers/clap.js";

const start = memory();
const debug = await makeClap("debug");
const labels = ["dog", "rain", "a car horn"];

test.after.always("lifetime: no handle is left", (t) => {
  t.deepEqual(memory(), start);
});

test.serial("labels are ranked by the softmax of scaled cosines", async (t) => {
  using clap = await Clap.fromPretrained(debug);
  const wave = sine(700, 2);
  const ranked = await clap.classify(wave, labels);
  const texts = await clap.embedText(labels.map((label) => `This is a sound of ${label}.`));
  const rows = await clap.embedAudio([wave]);
  const [cosines] = await clap.similarity(rows, texts);
  const [scaled] = await clap.similarity(rows, texts, { scaled: true });
  const total = [...scaled!].reduce((sum, logit) => sum + Math.exp(logit), 0);
  for (const { label, index, probability, similarity } of ranked) {
    t.is(labels[index], label);
    t.is(similarity, cosines![index]!);
    t.true(Math.abs(probability - Math.exp(scaled![index]!) / total) < 1e-5);
  }
  const sum = ranked.reduce((all, { probability }) => all + probability, 0);
  t.true(Math.abs(sum - 1) < 1e-12);
  ranked.slice(1).forEach((one, i) => t.true(one.probability <= ranked[i]!.probability));
  t.true(
    furthest(
      scaled!,
      cosines!.map((cosine) => cosine * clap.logitScaleAudio),
    ) < 1e-5,
  );
});

test.serial("templates are texts or functions; several are averaged", async (t) => {
  using clap = await Clap.fromPretrained(debug);
  const spoken = await clap.embedLabels(labels, { template: (label) => `hear ${label}` });
  const written = await clap.embedLabels(labels, { template: "hear {label}" });
  t.deepEqual(spoken, written);
  const other = await clap.embedLabels(labels, { template: "{label}, {label}!" });
  t.deepEqual(other, await clap.embedText(labels.map((label) => `${label}, ${label}!`)));
  const both = await clap.embedLabels(labels, { template: ["hear {label}", "{label}, {label}!"] });
  for (const [i, row] of both.entries()) {
    const mean = row.map((_, j) => (written[i]![j]! + other[i]![j]!) / 2);
    const length = Math.hypot(...mean);
    t.true(
      furthest(
        row,
        mean.map((value) => value / length),
      ) <= 1e-6,
    );
  }
});

test.serial("cosines do not depend on the lengths of the rows", async (t) => {
  using clap = await Clap.fromPretrained(debug);
  const a = [Float32Array.of(3, 4), Float32Array.of(1, 0)];
  const b = [Float32Array.of(0, 2), Float32Array.of(-30, -40), Float32Array.of(0.1, 0)];
  const rows = await clap.similarity(a, b);
  t.is(rows.length, 2);
  t.true(furthest(rows[0]!, [0.8, -1, 0.6]) < 1e-6);
  t.true(furthest(rows[1]!, [0, -0.6, 1]) < 1e-6);
});

test.serial("refuses labels, templates and rows that are none", async (t) => {
  using clap = await Clap.fromPretrained(debug);
  const wave = sine(700, 0.1);
  const code = "E_ARGUMENT";
  await t.throwsAsync(clap.classify(wave, []), { code, message: /label/ });
  await t.throwsAsync(clap.classify(wave, ["a", ""]), { code, message: /labels/ });
  const holes = ["a", undefined, "b"] as string[];
  await t.throwsAsync(clap.classify(wave, holes), { code, message: /labels\[1\]/ });
  await t.throwsAsync(clap.classify(wave, labels, { template: "no place" }), {
    code,
    message: /\{label\}.*template.*no place/,
  });
  await t.throwsAsync(clap.classify(wave, labels, { template: [] }), { code });
  const timeline = { pool: "timeline" } as unknown as { pool: "mean" };
  await t.throwsAsync(clap.classify(wave, labels, timeline));
  await t.throwsAsync(clap.similarity([], []), { code });
  const [two, three] = [new Float32Array(2), new Float32Array(3)];
  await t.throwsAsync(clap.similarity([two], [three]), { code: "E_SHAPE" });
  for (const value of [NaN, Infinity, 3e38]) {
    const row = new Float32Array(2).fill(value);
    await t.throwsAsync(clap.similarity([two], [row]), { code: "E_NONFINITE" });
  }
});

test.serial("options of a wrong type are refused by every call", async (t) => {
  const wrong = [null, 5, { signal: 5 }, { onProgress: 5 }] as unknown as [undefined];
  using clap = await Clap.fromPretrained(debug);
  const wave = sine(700, 0.1);
  for (const options of wrong) {
    const calls = [
      Clap.fromPretrained(debug, options),
      clap.embedText(["a"], options),
      clap.embedAudio([wave], options),
      clap.embedLabels(["a"], options),
      clap.classify(wave, ["a"], options),
      clap.verify(options),
    ];
    for (const call of calls) await t.throwsAsync(call, { code: "E_ARGUMENT" });
  }
});
