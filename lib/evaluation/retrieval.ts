import type { CallOptions } from "../runtime/abort.js";
import { requireList, requireObject, requireOptions } from "../runtime/arguments.js";
import { expected } from "../runtime/errors.js";
import { throwIfAborted } from "../runtime/native.js";
import { checkFinite, checkScores, checkTies, rankMetrics, ranksOf, rowOf } from "./ranks.js";
import type { RankMetrics, ScoreMatrix, Ties } from "./ranks.js";
import { similarityBlocks } from "./similarity.js";

/** Ranks counted from 0, as the metrics are made of. */
export interface RetrievalRanks {
  /** For each caption the rank of its clip among all clips. */
  readonly textToAudio: readonly (readonly number[])[];
  /** For each clip the ranks of its captions, in their order, among all captions. */
  readonly audioToText: readonly (readonly number[])[];
}

/** Both directions of Table 4 of the paper. */
export interface RetrievalMetrics {
  /** Queries are captions; one clip is right. */
  readonly textToAudio: RankMetrics;
  /** Queries are clips; each of a clip's captions is right. */
  readonly audioToText: RankMetrics;
  /** Mean of both `mapAt10`: what LAION-CLAP chooses its checkpoints by. */
  readonly selectionScore: number;
}

export interface TiesOptions {
  /** Default `"stable"`. */
  readonly ties?: Ties | undefined;
}

/** Embeddings of clips and of their captions. */
export interface RetrievalSet {
  /** One of unit norm per clip. */
  readonly audio: readonly Float32Array[];
  /** One of unit norm per caption. */
  readonly text: readonly Float32Array[];
  /** Which clip a caption belongs to, by index. Default: caption i belongs to clip i. */
  readonly clipOf?: readonly number[] | undefined;
}

/** List each clip's captions. @throws E_ARGUMENT, E_SHAPE */
function captionsOf(clipOf: readonly number[], clips: number, captions: number): number[][] {
  if (clipOf.length !== captions) {
    throw expected("E_SHAPE", `${captions} clip numbers`, "clipOf", clipOf.length);
  }
  const lists = Array.from({ length: clips }, (): number[] => []);
  for (const [caption, clip] of clipOf.entries()) {
    const list = lists[clip];
    if (!list) throw expected("E_ARGUMENT", `0..${clips - 1}`, `clipOf[${caption}]`, clip);
    list.push(caption);
  }
  const bare = lists.findIndex((list) => list.length === 0);
  if (bare < 0) return lists;
  throw expected("E_ARGUMENT", "at least one caption", `clip ${bare}`, "none");
}

function identity(length: number): number[] {
  return Array.from({ length }, (_, index) => index);
}

/**
 * Rank both directions from the similarity of every caption with every clip.
 *
 * @param scores `[captions × clips]`, finite, such as cosines or logits: only their order counts.
 * @param clipOf Which clip a caption belongs to; any number of captions per clip, at least one.
 * @throws E_ARGUMENT, E_SHAPE, E_NONFINITE
 */
export function ranksOfScores(
  scores: ScoreMatrix,
  clipOf: readonly number[] = identity(scores.rows),
  { ties = "stable" }: TiesOptions = {},
): RetrievalRanks {
  checkScores("scores", scores);
  checkTies(ties);
  const { rows: captions, columns: clips, values } = scores;
  const lists = captionsOf(clipOf, clips, captions);
  const textToAudio = clipOf.map((clip, caption) => {
    const row = rowOf(scores, caption);
    checkFinite("scores", row, caption);
    return ranksOf(row, [clip], ties);
  });
  const column = new Float64Array(captions);
  const audioToText = lists.map((list, clip) => {
    for (let caption = 0; caption < captions; caption += 1) {
      column[caption] = values[caption * clips + clip] ?? NaN;
    }
    return ranksOf(column, list, ties);
  });
  return { textToAudio, audioToText };
}

/** Summarise both directions. @throws E_ARGUMENT */
export function retrievalMetrics(ranks: RetrievalRanks): RetrievalMetrics {
  requireObject("ranks", ranks);
  const textToAudio = rankMetrics(ranks.textToAudio);
  const audioToText = rankMetrics(ranks.audioToText);
  const selectionScore = (textToAudio.mapAt10 + audioToText.mapAt10) / 2;
  return { textToAudio, audioToText, selectionScore };
}

/**
 * Rank both directions from embeddings. Similarities are computed natively and in blocks, so that
 * memory stays bounded.
 *
 * @throws E_ARGUMENT, E_SHAPE, E_NONFINITE, E_ABORTED
 */
export async function ranksOfEmbeddings(
  set: RetrievalSet,
  options: TiesOptions & CallOptions = {},
): Promise<RetrievalRanks> {
  requireObject("set", set);
  requireList("audio", set.audio);
  requireList("text", set.text);
  requireOptions(options);
  const { audio, text, clipOf = identity(text.length) } = set;
  const { ties = "stable", signal } = options;
  checkTies(ties);
  const lists = captionsOf(clipOf, audio.length, text.length);
  const rank = async (
    name: string,
    sides: readonly [readonly Float32Array[], readonly Float32Array[]],
    relevant: (row: number) => readonly number[],
  ): Promise<number[][]> => {
    const ranks: number[][] = [];
    for await (const block of similarityBlocks(name, sides)) {
      throwIfAborted(signal);
      for (let row = 0; row < block.rows; row += 1) {
        ranks.push(ranksOf(rowOf(block, row), relevant(ranks.length), ties));
      }
    }
    return ranks;
  };
  return {
    textToAudio: await rank("text", [text, audio], (caption) => [clipOf[caption] ?? -1]),
    audioToText: await rank("audio", [audio, text], (clip) => lists[clip] ?? []),
  };
}
