import { requireObject } from "../runtime/arguments.js";
import { expected } from "../runtime/errors.js";
import { checkFinite, checkScores, checkTies, rankMetrics, ranksOf, rowOf } from "./ranks.js";
import type { RankMetrics, ScoreMatrix } from "./ranks.js";
import type { TiesOptions } from "./retrieval.js";

/** One right class per clip, as in ESC-50, UrbanSound8K, GTZAN and VGGSound. */
export interface ClassificationMetrics extends RankMetrics {
  /** Clips whose best class is the right one; equals `recallAt1`. */
  readonly accuracy: number;
}

/** Any number of right classes per clip, as in FSD50K and AudioSet. */
export interface MultiLabelMetrics {
  /** Mean over the classes that have an average precision. */
  readonly meanAveragePrecision: number;
  /** Mean over the classes that have an area; null where no class has one. */
  readonly meanRocAuc: number | null;
  /** By class; null for one that no clip has. */
  readonly averagePrecision: readonly (number | null)[];
  /** By class; null for one that no clip or every clip has. */
  readonly rocAuc: readonly (number | null)[];
}

/** Which classes are right for each clip. */
export interface LabelMatrix {
  /** `[rows × columns]`, each 0 or 1. */
  readonly values: Uint8Array;
  readonly rows: number;
  readonly columns: number;
}

/** Rank every clip's right class, counted from 0. @throws E_ARGUMENT, E_SHAPE, E_NONFINITE */
function targetRanks(
  scores: ScoreMatrix,
  targets: readonly number[],
  { ties = "stable" }: TiesOptions,
): readonly number[][] {
  checkScores("scores", scores);
  checkTies(ties);
  const { rows, columns } = scores;
  if (targets.length !== rows) {
    throw expected("E_SHAPE", `${rows} class numbers`, "targets", targets.length);
  }
  return targets.map((target, row) => {
    if (!Number.isInteger(target) || target < 0 || target >= columns) {
      throw expected("E_ARGUMENT", `0..${columns - 1}`, `targets[${row}]`, target);
    }
    const values = rowOf(scores, row);
    checkFinite("scores", values, row);
    return ranksOf(values, [target], ties);
  });
}

/**
 * Measure classification with one right class per clip: the zero-shot columns of Table 3.
 *
 * @param scores `[clips × classes]`, finite: similarities with the classes' prompts, or logits.
 * @param targets The right class of each clip, by index.
 * @throws E_ARGUMENT, E_SHAPE, E_NONFINITE
 */
export function classificationMetrics(
  scores: ScoreMatrix,
  targets: readonly number[],
  options: TiesOptions = {},
): ClassificationMetrics {
  const metrics = rankMetrics(targetRanks(scores, targets, options));
  return { accuracy: metrics.recallAt1, ...metrics };
}

/**
 * Measure the fraction of clips whose right class is among the first k.
 *
 * @throws E_ARGUMENT, E_SHAPE, E_NONFINITE
 */
export function topKAccuracy(
  scores: ScoreMatrix,
  targets: readonly number[],
  k: number,
  options: TiesOptions = {},
): number {
  if (!Number.isSafeInteger(k) || k < 1) {
    throw expected("E_ARGUMENT", "an integer of at least 1", "k", k);
  }
  const ranks = targetRanks(scores, targets, options);
  return ranks.filter(([rank = Infinity]) => rank < k).length / ranks.length;
}

/** Clips of one score, from the highest score down. */
interface Step {
  readonly positives: number;
  readonly negatives: number;
}

/** Group one class's clips by score. */
function stepsOf(scores: ScoreMatrix, labels: LabelMatrix, column: number): readonly Step[] {
  const { rows, columns } = scores;
  const scoreAt = (row: number): number => scores.values[row * columns + column] ?? NaN;
  const order = Uint32Array.from({ length: rows }, (_, row) => row);
  order.sort((a, b) => scoreAt(b) - scoreAt(a));
  const steps: { positives: number; negatives: number }[] = [];
  let last = NaN;
  for (const row of order) {
    const score = scoreAt(row);
    if (score !== last) steps.push({ positives: 0, negatives: 0 });
    last = score;
    const step = steps[steps.length - 1];
    if (!step) continue;
    if (labels.values[row * columns + column] === 1) step.positives += 1;
    else step.negatives += 1;
  }
  return steps;
}

function total(steps: readonly Step[], side: keyof Step): number {
  return steps.reduce((sum, step) => sum + step[side], 0);
}

/** `Σ (R_n − R_{n−1}) P_n` over the distinct scores, without interpolation. */
function averagePrecisionOf(steps: readonly Step[]): number | null {
  const positives = total(steps, "positives");
  if (positives === 0) return null;
  let [found, seen, sum] = [0, 0, 0];
  for (const step of steps) {
    found += step.positives;
    seen += step.positives + step.negatives;
    sum += (step.positives / positives) * (found / seen);
  }
  return sum;
}

/** The chance that a clip of the class scores above one of the others; equal scores count half. */
function rocAucOf(steps: readonly Step[]): number | null {
  const [positives, negatives] = [total(steps, "positives"), total(steps, "negatives")];
  if (positives === 0 || negatives === 0) return null;
  let [below, sum] = [negatives, 0];
  for (const step of steps) {
    below -= step.negatives;
    sum += step.positives * (below + step.negatives / 2);
  }
  return sum / positives / negatives;
}

function meanOf(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  if (known.length === 0) return null;
  return known.reduce((sum, value) => sum + value, 0) / known.length;
}

/** @throws E_ARGUMENT, E_SHAPE, E_NONFINITE */
function checkLabels(scores: ScoreMatrix, labels: LabelMatrix): void {
  checkScores("scores", scores);
  for (let row = 0; row < scores.rows; row += 1) checkFinite("scores", rowOf(scores, row), row);
  requireObject("labels", labels);
  const { values, rows, columns } = labels;
  if (!(values instanceof Uint8Array)) {
    throw expected("E_ARGUMENT", "a Uint8Array", "labels.values", values);
  }
  const isShaped = rows === scores.rows && columns === scores.columns;
  if (!isShaped || values.length !== rows * columns) {
    const received = `${rows} × ${columns} in ${values.length} values`;
    throw expected("E_SHAPE", `${scores.rows} × ${scores.columns}`, "labels", received);
  }
  const wrong = values.find((value) => value > 1);
  if (wrong !== undefined) throw expected("E_ARGUMENT", "0 or 1", "labels", wrong);
}

/**
 * Measure classification with any number of right classes per clip: the FSD50K column of Table 3.
 * Classes without a positive clip have no average precision and stay out of the mean
 * (scikit-learn counts them as 0).
 *
 * @param scores `[clips × classes]`, finite; sigmoids and logits give the same result.
 * @throws E_ARGUMENT for labels without any positive, E_SHAPE, E_NONFINITE
 */
export function multiLabelMetrics(scores: ScoreMatrix, labels: LabelMatrix): MultiLabelMetrics {
  checkLabels(scores, labels);
  const classes = Array.from({ length: scores.columns }, (_, column) =>
    stepsOf(scores, labels, column),
  );
  const averagePrecision = classes.map(averagePrecisionOf);
  const rocAuc = classes.map(rocAucOf);
  const meanAveragePrecision = meanOf(averagePrecision);
  if (meanAveragePrecision === null) {
    throw expected("E_ARGUMENT", "at least one positive", "labels", "none");
  }
  return { meanAveragePrecision, meanRocAuc: meanOf(rocAuc), averagePrecision, rocAuc };
}
