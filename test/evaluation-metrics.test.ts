import test from "ava";
import type { ExecutionContext } from "ava";
import {
  classificationMetrics,
  multiLabelMetrics,
  topKAccuracy,
} from "../lib/evaluation/classification.js";
import { rankMetrics, ranksOf, unsortedMapAt10 } from "../lib/evaluation/ranks.js";
import type { RankMetrics, ScoreMatrix } from "../lib/evaluation/ranks.js";
import { ranksOfEmbeddings, ranksOfScores, retrievalMetrics } from "../lib/evaluation/retrieval.js";
import type { MusicLDMError } from "../lib/runtime/errors.js";
import { memory } from "../lib/runtime/native.js";
import type { Tensor } from "../lib/tensor/tensor.js";
import { openGolden } from "./helpers/golden.js";
import { integers } from "./helpers/safetensors.js";

async function matrix(tensor: Tensor): Promise<ScoreMatrix> {
  const [rows = 0, columns = 0] = tensor.shape;
  return { values: await tensor.floats(), rows, columns };
}

async function numbers(tensor: Tensor): Promise<number[]> {
  return [...(await tensor.data())].map(Number);
}

const summary = (metrics: RankMetrics): number[] => [
  metrics.recallAt1,
  metrics.recallAt5,
  metrics.recallAt10,
  metrics.mapAt10,
  metrics.medianRank,
  metrics.meanRank,
];

function worst(actual: readonly (number | null)[], wanted: readonly number[]): number {
  if (actual.length !== wanted.length) return NaN;
  return Math.max(...actual.map((value, i) => Math.abs((value ?? NaN) - (wanted[i] ?? NaN))));
}

test.serial(
  "retrieval metrics equal a restatement of LAION-CLAP's, whatever the captions",
  async (t) => {
    using golden = await openGolden("evaluation-metrics");
    for (const name of ["single", "five", "mixed", "ties"]) {
      const scores = await matrix(golden.get(`input.scores.${name}`));
      const clipOf = await numbers(golden.get(`input.clip_of.${name}`));
      const ranks = ranksOfScores(scores, clipOf);
      const metrics = retrievalMetrics(ranks);
      for (const [direction, actual] of [
        ["text_to_audio", summary(metrics.textToAudio)],
        ["audio_to_text", summary(metrics.audioToText)],
        ["unsorted", [unsortedMapAt10(ranks.audioToText)]],
      ] as const) {
        const distance = worst(actual, await numbers(golden.get(`output.${direction}.${name}`)));
        t.log(`${direction} of ${name}: ${distance.toExponential(1)}`);
        t.true(distance < 1e-6, `${direction} of ${name}: ${actual.join(" ")}`);
      }
      const { textToAudio, audioToText, selectionScore } = metrics;
      t.is(selectionScore, (textToAudio.mapAt10 + audioToText.mapAt10) / 2);
      t.is(textToAudio.count, scores.rows);
      t.is(audioToText.count, scores.columns);
    }
  },
);

test.serial("multi-label metrics equal scikit-learn's, with equal scores too", async (t) => {
  using golden = await openGolden("evaluation-metrics");
  for (const name of ["smooth", "stepped"]) {
    const scores = await matrix(golden.get(`input.scores.${name}`));
    const labels = Uint8Array.from(await numbers(golden.get(`input.labels.${name}`)));
    const metrics = multiLabelMetrics(scores, { ...scores, values: labels });
    const precision = await numbers(golden.get(`output.average_precision.${name}`));
    const area = await numbers(golden.get(`output.roc_auc.${name}`));
    const distances = [
      worst(metrics.averagePrecision, precision),
      worst(metrics.rocAuc, area),
      Math.abs(metrics.meanAveragePrecision - precision.reduce((a, b) => a + b) / 9),
      Math.abs((metrics.meanRocAuc ?? NaN) - area.reduce((a, b) => a + b) / 9),
    ];
    t.log(`${name}: ${distances.map((distance) => distance.toExponential(1)).join(" ")}`);
    t.true(distances.every((distance) => distance < 1e-6));
  }
});

test.serial("classification metrics equal the reference", async (t) => {
  using golden = await openGolden("evaluation-metrics");
  const scores = await matrix(golden.get("input.scores.classes"));
  const targets = await numbers(golden.get("input.targets.classes"));
  const metrics = classificationMetrics(scores, targets);
  const ranking = await numbers(golden.get("output.ranking.classes"));
  t.true(worst(summary(metrics), ranking) < 1e-6);
  const [accuracy = NaN] = await numbers(golden.get("output.accuracy.classes"));
  t.true(Math.abs(metrics.accuracy - accuracy) < 1e-6);
  t.is(topKAccuracy(scores, targets, 1), metrics.accuracy);
  t.is(topKAccuracy(scores, targets, 5), metrics.recallAt5);
  t.is(topKAccuracy(scores, targets, 12), 1);
});

test("average precision sorts ranks; the unsorted variant is that of the training log", (t) => {
  t.is(rankMetrics([[4, 3, 2, 1, 0]]).mapAt10, 1);
  t.true(Math.abs(unsortedMapAt10([[4, 3, 2, 1, 0]]) - 1.74) < 1e-12);
  t.true(Math.abs(rankMetrics([[2, 5, 7, 4, 0]]).mapAt10 - 0.711667) < 1e-6);
  t.true(Math.abs(unsortedMapAt10([[2, 5, 7, 4, 0]]) - 1.368333) < 1e-6);
  t.is(rankMetrics([Array.from({ length: 20 }, (_, rank) => rank)]).mapAt10, 1);
  t.is(rankMetrics([[10], [12]]).mapAt10, 0);
  t.deepEqual(summary(rankMetrics([[0], [1], [4], [9]])).slice(4), [3, 4.5]);
});

test("equal scores rank in order, or behind everything that is not wanted", (t) => {
  const level = new Float32Array(5);
  t.deepEqual(ranksOf(level, [1, 3]), [1, 3]);
  t.deepEqual(ranksOf(level, [1, 3], "pessimistic"), [3, 4]);
  t.deepEqual(ranksOf(Float32Array.of(1, 2, 2, 3), [1], "pessimistic"), [2]);
  const scores = { values: new Float32Array(16), rows: 4, columns: 4 };
  const options = { ties: "pessimistic" } as const;
  t.is(classificationMetrics(scores, [0, 0, 0, 0]).accuracy, 1);
  t.is(classificationMetrics(scores, [0, 0, 0, 0], options).accuracy, 0);
  t.is(retrievalMetrics(ranksOfScores(scores, undefined, options)).textToAudio.meanRank, 4);
});

test("the order of clips and captions changes nothing", (t) => {
  const random = integers(7);
  const [clips, captions] = [9, 31];
  const owners = Array.from({ length: captions }, (_, i) => (i < clips ? i : random(clips)));
  const values = Float32Array.from({ length: clips * captions }, () => random(2 ** 24) / 2 ** 24);
  const shuffled = (length: number): number[] => {
    const keys = Array.from({ length }, () => random(2 ** 30));
    return keys.map((_, i) => i).sort((a, b) => (keys[a] ?? 0) - (keys[b] ?? 0));
  };
  const [clipOrder, captionOrder] = [shuffled(clips), shuffled(captions)];
  const moved = captionOrder.flatMap((caption) =>
    clipOrder.map((clip) => values[caption * clips + clip] ?? NaN),
  );
  const movedOwners = captionOrder.map((caption) => clipOrder.indexOf(owners[caption] ?? -1));
  const shape = { rows: captions, columns: clips };
  const measure = (array: Float32Array, clipOf: readonly number[]) => {
    const { textToAudio, audioToText } = retrievalMetrics(
      ranksOfScores({ ...shape, values: array }, clipOf),
    );
    return [...summary(textToAudio), ...summary(audioToText)];
  };
  const moves = worst(measure(Float32Array.from(moved), movedOwners), measure(values, owners));
  t.true(moves < 1e-12);
  const rising = values.map((value) => Math.exp(3 * value));
  t.deepEqual(measure(rising, owners), measure(values, owners));
});

/** Rows of unit norm. */
function units(random: (bound: number) => number, rows: number, width: number): Float32Array[] {
  return Array.from({ length: rows }, () => {
    const row = Float32Array.from({ length: width }, () => random(2001) / 1000 - 1);
    const norm = Math.hypot(...row);
    return row.map((value) => value / norm);
  });
}

test.serial("embeddings rank as their similarities do, in several blocks too", async (t) => {
  const random = integers(11);
  const [audio, text] = [units(random, 1500, 8), units(random, 3000, 8)];
  const clipOf = text.map((_, caption) => caption % audio.length);
  const values = new Float32Array(text.length * audio.length);
  text.forEach((left, i) =>
    audio.forEach((right, j) => {
      values[i * audio.length + j] = left.reduce(
        (sum, value, k) => sum + value * (right[k] ?? 0),
        0,
      );
    }),
  );
  const { handles } = memory();
  const found = retrievalMetrics(await ranksOfEmbeddings({ audio, text, clipOf }));
  t.is(memory().handles, handles);
  const shape = { rows: text.length, columns: audio.length };
  const wanted = retrievalMetrics(ranksOfScores({ ...shape, values }, clipOf));
  // Sums in another order differ in their last bits, and so may neighbours in a ranking.
  t.true(Math.abs(found.textToAudio.meanRank - wanted.textToAudio.meanRank) < 0.01);
  t.true(Math.abs(found.audioToText.mapAt10 - wanted.audioToText.mapAt10) < 1e-3);
  const own = retrievalMetrics(await ranksOfEmbeddings({ audio, text: audio }));
  t.is(own.textToAudio.recallAt1, 1);
  t.is(own.selectionScore, 1);
});

test("classes without positives, or without negatives, stay out of the means", (t) => {
  const scores = { values: Float32Array.of(3, 1, 1, 2, 2, 2, 1, 3, 3), rows: 3, columns: 3 };
  const labels = { ...scores, values: Uint8Array.of(1, 0, 1, 0, 0, 1, 0, 0, 1) };
  t.deepEqual(multiLabelMetrics(scores, labels), {
    meanAveragePrecision: 1,
    meanRocAuc: 1,
    averagePrecision: [1, null, 1],
    rocAuc: [1, null, null],
  });
  const full = { ...labels, values: new Uint8Array(9).fill(1) };
  t.is(multiLabelMetrics(scores, full).meanRocAuc, null);
});

const scores = { values: Float32Array.of(1, 2, 3, 4), rows: 2, columns: 2 };
const bad = { ...scores, values: Float32Array.of(1, NaN, 3, 4) };

function codeOf(t: ExecutionContext, run: () => unknown): unknown {
  return t.throws<MusicLDMError>(run)?.code;
}

test("invalid scores and ranks are refused", (t) => {
  const code = (run: () => unknown) => codeOf(t, run);
  const ties = "best" as "stable";
  t.is(
    code(() => ranksOfScores({ ...scores, rows: 3 })),
    "E_SHAPE",
  );
  t.is(
    code(() => ranksOfScores({ ...scores, rows: 0 })),
    "E_ARGUMENT",
  );
  t.is(
    code(() => ranksOfScores(scores, [0])),
    "E_SHAPE",
  );
  t.is(
    code(() => ranksOfScores(scores, [0, 2])),
    "E_ARGUMENT",
  );
  t.is(
    code(() => ranksOfScores(scores, [0, 0])),
    "E_ARGUMENT",
  );
  t.is(
    code(() => ranksOfScores(bad)),
    "E_NONFINITE",
  );
  t.is(
    code(() => ranksOfScores(scores, [0, 1], { ties })),
    "E_ARGUMENT",
  );
  for (const ranks of [[], [[]], [[-1]], [[0.5]]]) {
    t.is(
      code(() => rankMetrics(ranks)),
      "E_ARGUMENT",
    );
    t.is(
      code(() => unsortedMapAt10(ranks)),
      "E_ARGUMENT",
    );
  }
});

test("invalid classes and labels are refused", (t) => {
  const code = (run: () => unknown) => codeOf(t, run);
  const labels = { ...scores, values: Uint8Array.of(1, 0, 0, 1) };
  const labelled = (change: object) =>
    code(() => multiLabelMetrics(scores, { ...labels, ...change }));
  t.is(
    code(() => classificationMetrics(scores, [0, 2])),
    "E_ARGUMENT",
  );
  t.is(
    code(() => classificationMetrics(scores, [0])),
    "E_SHAPE",
  );
  t.is(
    code(() => classificationMetrics(bad, [0, 1])),
    "E_NONFINITE",
  );
  t.is(
    code(() => topKAccuracy(scores, [0, 1], 0)),
    "E_ARGUMENT",
  );
  t.is(
    code(() => multiLabelMetrics(bad, labels)),
    "E_NONFINITE",
  );
  t.is(labelled({ rows: 1 }), "E_SHAPE");
  t.is(labelled({ values: Uint8Array.of(1, 0, 0) }), "E_SHAPE");
  t.is(labelled({ values: Uint8Array.of(1, 0, 0, 2) }), "E_ARGUMENT");
  t.is(labelled({ values: new Uint8Array(4) }), "E_ARGUMENT");
  t.is(labelled({ values: [1, 0, 0, 1] }), "E_ARGUMENT");
});

test.serial("invalid embeddings are refused, and nothing is left", async (t) => {
  const before = memory();
  const [one, two] = [Float32Array.of(1, 0), Float32Array.of(0, 1)];
  const refuse = async (audio: Float32Array[], text: Float32Array[], code: string) => {
    await t.throwsAsync(ranksOfEmbeddings({ audio, text }), { code });
  };
  await refuse([one, two], [one], "E_ARGUMENT");
  await refuse([], [], "E_ARGUMENT");
  await t.throwsAsync(ranksOfEmbeddings(undefined as never), { code: "E_ARGUMENT" });
  await refuse([one, Float32Array.of(1)], [one, two], "E_SHAPE");
  await refuse([one, Float32Array.of(NaN, 1)], [one, two], "E_NONFINITE");
  const aborted = ranksOfEmbeddings({ audio: [one], text: [two] }, { signal: AbortSignal.abort() });
  await t.throwsAsync(aborted, { code: "E_ABORTED" });
  t.deepEqual(memory(), before);
});
