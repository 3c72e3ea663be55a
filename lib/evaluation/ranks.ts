import { requireObject } from "../runtime/arguments.js";
import { expected, MusicLDMError } from "../runtime/errors.js";

/** Scores of every candidate for every query, row after row; higher is better. */
export interface ScoreMatrix {
  /** `[rows × columns]`. */
  readonly values: Float32Array | Float64Array;
  /** Queries. */
  readonly rows: number;
  /** Candidates. */
  readonly columns: number;
}

/**
 * Where equal scores rank.
 *
 * `"stable"`: in the order of the candidates, as a stable descending sort leaves them.
 * `"pessimistic"`: what is wanted after everything else, so that a model which answers one number
 * to every question gets the worst result and not the luck of the order.
 */
export type Ties = "stable" | "pessimistic";

/** How well queries find what they look for. All but the ranks are fractions of 1. */
export interface RankMetrics {
  /** Queries that were counted. */
  readonly count: number;
  /** Queries whose best match is among the first 1, 5, 10 candidates. */
  readonly recallAt1: number;
  readonly recallAt5: number;
  readonly recallAt10: number;
  /** Mean average precision within the first 10 candidates. */
  readonly mapAt10: number;
  /** Median of the best match's rank, counted from 1; a half is rounded down. */
  readonly medianRank: number;
  /** Mean of the best match's rank, counted from 1. */
  readonly meanRank: number;
}

/** Places that `mapAt10` looks at. */
const places = 10;

/** Check that there are as many scores as the shape says. @throws E_ARGUMENT, E_SHAPE */
export function checkScores(name: string, scores: ScoreMatrix): void {
  requireObject(name, scores);
  const { values, rows, columns } = scores;
  if (!(values instanceof Float32Array || values instanceof Float64Array)) {
    throw expected("E_ARGUMENT", "a Float32Array or a Float64Array", `${name}.values`, values);
  }
  for (const [side, size] of Object.entries({ rows, columns })) {
    if (Number.isSafeInteger(size) && size > 0) continue;
    throw expected("E_ARGUMENT", "an integer of at least 1", `${name}.${side}`, size);
  }
  if (values.length === rows * columns) return;
  const what = `${rows} × ${columns} values`;
  throw expected("E_SHAPE", what, name, values.length);
}

/** One row of a matrix, without copying it. */
export function rowOf({ values, columns }: ScoreMatrix, row: number): Float32Array | Float64Array {
  return values.subarray(row * columns, (row + 1) * columns);
}

/** @throws E_ARGUMENT */
export function checkTies(ties: Ties): void {
  if (ties === "stable" || ties === "pessimistic") return;
  throw expected("E_ARGUMENT", '"stable" or "pessimistic"', "ties", ties);
}

/** @throws E_NONFINITE naming the first score that is no number */
export function checkFinite(name: string, scores: Float32Array | Float64Array, row: number): void {
  const column = scores.findIndex((score) => !Number.isFinite(score));
  if (column < 0) return;
  const message = `Expected finite scores for ${name} but received ${scores[column]}`;
  throw new MusicLDMError("E_NONFINITE", `${message} in row ${row}, column ${column}`, {
    stage: name,
    row,
    column,
  });
}

/**
 * Rank what a query looks for among all candidates, counted from 0, best score first.
 *
 * @param scores One per candidate, finite.
 * @param relevant The wanted candidates in ascending order; the result has their order.
 */
export function ranksOf(
  scores: Float32Array | Float64Array,
  relevant: readonly number[],
  ties: Ties = "stable",
): number[] {
  const wanted = new Set(relevant);
  return relevant.map((index) => {
    const score = scores[index] ?? NaN;
    let rank = 0;
    for (let other = 0; other < scores.length; other += 1) {
      const rival = scores[other] ?? NaN;
      if (rival > score) rank += 1;
      else if (rival === score && other !== index) {
        const isFirst = other < index;
        // Those that are wanted as well keep their order, however ties fall.
        rank += isFirst || (ties === "pessimistic" && !wanted.has(other)) ? 1 : 0;
      }
    }
    return rank;
  });
}

/**
 * Average precision within the first 10 candidates: with r_1 ≤ r_2 ≤ … the ranks below 10 of m
 * wanted candidates, `Σ_j j / (r_j + 1)` over `min(m, 10)`.
 */
function averagePrecisionAt10(ranks: readonly number[]): number {
  const found = ranks.filter((rank) => rank < places).sort((a, b) => a - b);
  const sum = found.reduce((total, rank, j) => total + (j + 1) / (rank + 1), 0);
  return sum / Math.min(ranks.length, places);
}

/** @throws E_ARGUMENT */
function checkRanks(ranks: readonly (readonly number[])[]): void {
  if (ranks.length === 0) throw expected("E_ARGUMENT", "at least one query", "ranks", ranks);
  for (const [query, row] of ranks.entries()) {
    const isValid = row.length > 0 && row.every((rank) => Number.isSafeInteger(rank) && rank >= 0);
    if (isValid) continue;
    throw expected("E_ARGUMENT", "ranks of at least 0", `query ${query} of ranks`, row);
  }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] ?? NaN) + (sorted[Math.floor(middle)] ?? NaN)) / 2;
}

/**
 * Summarise ranks, counted from 0, of what each query looks for, in any order. Recall, median and
 * mean are those of a query's best rank.
 *
 * Source: LAION-AI/CLAP, training/train.py, with the ranks of one query in ascending order.
 * @throws E_ARGUMENT
 */
export function rankMetrics(ranks: readonly (readonly number[])[]): RankMetrics {
  checkRanks(ranks);
  const best = ranks.map((row) => Math.min(...row));
  const recall = (k: number): number => best.filter((rank) => rank < k).length / best.length;
  return {
    count: ranks.length,
    recallAt1: recall(1),
    recallAt5: recall(5),
    recallAt10: recall(10),
    mapAt10: mean(ranks.map(averagePrecisionAt10)),
    medianRank: Math.floor(median(best)) + 1,
    meanRank: mean(best) + 1,
  };
}

/**
 * Compute mAP@10 as LAION-CLAP's training log does: over ranks in the order of the captions, not in
 * ascending order. It can exceed 1; use it only to compare with such logs.
 *
 * @param ranks Counted from 0, for each clip in the order of its captions.
 * @throws E_ARGUMENT
 */
export function unsortedMapAt10(ranks: readonly (readonly number[])[]): number {
  checkRanks(ranks);
  const scores = ranks.map((row) => {
    const found = row.filter((rank) => rank < places);
    return found.reduce((sum, rank, n) => sum + (n + 1) / (rank + 1), 0) / row.length;
  });
  return mean(scores);
}
