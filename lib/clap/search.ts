import type { AudioInput } from "../audio/index.js";
import { requireObject } from "../runtime/arguments.js";
import { expected } from "../runtime/errors.js";
import type { EmbeddingIndex, SearchHit } from "./embedding-index.js";
import { requireSameModel } from "./index-folder.js";
import { checkSearchOptions } from "./index-input.js";
import type { IndexSearchOptions } from "./index-input.js";
import type { SearchModel } from "./search-model.js";
import { windowingOf } from "./windowing.js";

/** What to search for: sounds that a text describes, or that sound like a clip. */
export type SearchQuery =
  | { readonly text: string }
  | { readonly audio: AudioInput }
  /** Of unit norm. */
  | { readonly embedding: Float32Array };

/**
 * Find the parts of an index's files that fit a query, best first. Of windows that overlap, the
 * best stands for all. A clip is heard in the windows that the index was made with, and stands for
 * their mean.
 *
 * Errors: `E_ARGUMENT`, `E_CONFIG` (an index of another model), `E_AUDIO`, `E_ABORTED`.
 */
export async function searchIndex(
  model: SearchModel,
  index: EmbeddingIndex,
  query: SearchQuery,
  options: IndexSearchOptions = {},
): Promise<readonly SearchHit[]> {
  requireSameModel(model, index);
  requireObject("query", query);
  const { limit, perFile, filter } = checkSearchOptions(options);
  const { signal } = options;
  const embedding = await embedQuery(model, index, query, signal);
  // Windows that overlap are found together: look further until enough places are left.
  for (let count = 16 * limit; ; count *= 8) {
    count = Math.min(count, Number.MAX_SAFE_INTEGER);
    const found = await index.search(embedding, { limit: count, filter, signal });
    const hits = mergeHits(found, { limit, perFile });
    if (hits.length === limit || found.length < count) return hits;
  }
}

async function embedQuery(
  model: SearchModel,
  index: EmbeddingIndex,
  query: SearchQuery,
  signal: AbortSignal | undefined,
): Promise<Float32Array> {
  if ("embedding" in query) return query.embedding;
  if ("text" in query) {
    const [embedding] = await model.embedText([query.text], { signal });
    if (embedding) return embedding;
  } else if ("audio" in query) {
    const windowing = await windowingOf(index);
    const windows = { ...windowing, pool: "timeline", signal } as const;
    const [timeline = []] = await model.embedAudio([query.audio], windows);
    return meanOf(timeline.map(({ embedding }) => embedding));
  }
  throw expected("E_ARGUMENT", "a text, audio or embedding", "query", query);
}

/** The mean of embeddings, at unit norm. */
function meanOf(rows: readonly Float32Array[]): Float32Array {
  const [only] = rows;
  if (only && rows.length === 1) return only;
  const sum = new Float64Array(only?.length ?? 0);
  for (const row of rows) row.forEach((value, i) => (sum[i] = (sum[i] ?? 0) + value));
  const norm = Math.hypot(...sum);
  return Float32Array.from(sum, (value) => value / norm);
}

/**
 * Keep the best of hits that overlap in time, in the order of the scores.
 *
 * @param hits Best first.
 */
export function mergeHits(
  hits: readonly SearchHit[],
  { limit, perFile = Infinity }: { readonly limit: number; readonly perFile?: number | undefined },
): readonly SearchHit[] {
  const kept: SearchHit[] = [];
  const byFile = new Map<string, SearchHit[]>();
  for (const hit of hits) {
    if (kept.length === limit) break;
    const others = byFile.get(hit.file) ?? [];
    byFile.set(hit.file, others);
    const isCovered = others.some(
      (other) => hit.startSeconds < other.endSeconds && other.startSeconds < hit.endSeconds,
    );
    if (isCovered || others.length >= perFile) continue;
    others.push(hit);
    kept.push(hit);
  }
  return kept;
}
