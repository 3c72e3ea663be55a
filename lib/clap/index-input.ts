import { expected, MusicLDMError } from "../runtime/errors.js";
import type { CallOptions } from "../runtime/abort.js";
import { requireOptions } from "../runtime/arguments.js";
import type { TimedEmbedding } from "./types.js";

/** Which model the embeddings of an index come from. */
export interface IndexModel {
  /** Length of the embeddings. */
  readonly embeddingSize: number;
  /** Identifies the model; an index refuses embeddings of another one. */
  readonly fingerprint: string;
}

/** The embedding of a part of a file. */
export interface IndexRow extends TimedEmbedding {
  readonly file: string;
}

/** A file with all its rows, and what tells whether it has changed. */
export interface IndexedFile {
  readonly file: string;
  /** Bytes. */
  readonly size?: number | null | undefined;
  /** Milliseconds since 1970. */
  readonly modified?: number | null | undefined;
  /** Of the content. */
  readonly hash?: string | null | undefined;
  readonly rows: readonly TimedEmbedding[];
}

export interface IndexSearchOptions extends Pick<CallOptions, "signal"> {
  /** Hits at most. Default 10. */
  readonly limit?: number | undefined;
  /** Hits of one file at most. Default: no limit. */
  readonly perFile?: number | undefined;
  /** Search only files whose name fits: `*` is any text, slashes too, `?` one character. */
  readonly filter?: string | undefined;
}

const maxEmbeddingSize = 65_536;
/** How far from 1 a norm may be that rounding to float16 has changed. */
const normTolerance = 1e-2;

/** @throws E_ARGUMENT */
export function checkCount(name: string, value: unknown): number {
  if (Number.isSafeInteger(value) && Number(value) >= 1) return Number(value);
  throw expected("E_ARGUMENT", "an integer of at least 1", name, value);
}

/** @throws E_ARGUMENT */
export function checkIndexModel({ embeddingSize, fingerprint }: IndexModel): void {
  if (checkCount("embeddingSize", embeddingSize) > maxEmbeddingSize) {
    throw expected("E_ARGUMENT", `at most ${maxEmbeddingSize}`, "embeddingSize", embeddingSize);
  }
  if (typeof fingerprint === "string" && fingerprint !== "") return;
  throw expected("E_ARGUMENT", "a text", "fingerprint", fingerprint);
}

/** @throws E_ARGUMENT */
export function checkSearchOptions(options: IndexSearchOptions) {
  requireOptions(options);
  const { limit = 10, perFile, filter } = options;
  if (filter !== undefined && typeof filter !== "string") {
    throw expected("E_ARGUMENT", "a text", "filter", filter);
  }
  checkCount("limit", limit);
  if (perFile !== undefined) checkCount("perFile", perFile);
  return { limit, perFile, filter };
}

/** @throws E_ARGUMENT */
export function checkSpan(name: string, startSeconds: number, endSeconds: number): void {
  const isSpan = Number.isFinite(startSeconds) && Number.isFinite(endSeconds);
  if (isSpan && startSeconds >= 0 && endSeconds > startSeconds) return;
  const received = `${startSeconds}..${endSeconds}`;
  throw expected("E_ARGUMENT", "0 <= startSeconds < endSeconds", name, received);
}

/** @throws E_ARGUMENT, E_SHAPE, E_NONFINITE */
export function checkEmbedding(name: string, embedding: Float32Array, embeddingSize: number): void {
  if (!(embedding instanceof Float32Array)) {
    throw expected("E_ARGUMENT", "a Float32Array", name, embedding);
  }
  if (embedding.length !== embeddingSize) {
    throw expected("E_SHAPE", `${embeddingSize} values`, name, embedding.length);
  }
  const norm = Math.sqrt(embedding.reduce((sum, value) => sum + value * value, 0));
  if (!Number.isFinite(norm)) {
    const message = `Expected finite values for ${name} but received others`;
    throw new MusicLDMError("E_NONFINITE", message, { stage: name });
  }
  if (Math.abs(norm - 1) > normTolerance) throw expected("E_ARGUMENT", "unit norm", name, norm);
}
