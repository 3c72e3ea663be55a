import { stat } from "node:fs/promises";
import { requireList, requireObject } from "../runtime/arguments.js";
import { expected, MusicLDMError, toMusicLDMError } from "../runtime/errors.js";
import { IndexDatabase } from "./index-database.js";
import type { Row, Transaction } from "./index-database.js";
import {
  checkCount,
  checkEmbedding,
  checkIndexModel,
  checkSearchOptions,
  checkSpan,
} from "./index-input.js";
import type { IndexedFile, IndexModel, IndexRow, IndexSearchOptions } from "./index-input.js";
import { createTables, readProperties } from "./index-schema.js";

export interface OpenIndexOptions extends IndexModel {
  /** Open for searching only; several processes may at once. Default false. */
  readonly readOnly?: boolean | undefined;
  /** What the engine may use of the memory. Default: most of it, for what it has read. */
  readonly memoryBytes?: number | undefined;
}

/** A part of a file, and how well it fits a query. */
export interface SearchHit {
  readonly file: string;
  readonly startSeconds: number;
  readonly endSeconds: number;
  /** Cosine of the two embeddings, −1..1. */
  readonly score: number;
}

export interface IndexStats {
  readonly files: number;
  readonly rows: number;
  /** On the disk, as of the last checkpoint; 0 in memory. */
  readonly bytes: number;
}

/** A file of the index as `files()` lists it. */
export type FileState = Required<Omit<IndexedFile, "rows">>;

/**
 * Embeddings of parts of audio files, and the search for those nearest to another embedding: exact,
 * over a DuckDB file. `:memory:` as the path keeps it in memory.
 *
 * One process may write, or several may read (`readOnly`), not both at once. Within a process any
 * number of searches run beside each other and beside writing, and see what was committed before.
 * Every call that changes something does so wholly or not at all, even when the process is killed.
 */
export class EmbeddingIndex implements AsyncDisposable {
  readonly path: string;
  /** Length of the embeddings. */
  readonly embeddingSize: number;
  /** Identifies the model that made them. */
  readonly fingerprint: string;
  readonly isReadOnly: boolean;
  readonly #database: IndexDatabase;

  private constructor(database: IndexDatabase, model: IndexModel, isReadOnly: boolean) {
    this.path = database.path;
    this.embeddingSize = model.embeddingSize;
    this.fingerprint = model.fingerprint;
    this.isReadOnly = isReadOnly;
    this.#database = database;
  }

  /**
   * Open an index, or create it unless `readOnly`.
   *
   * Errors: `E_ARGUMENT`; `E_SETUP` (DuckDB is not installed); `E_IO` (absent, in use by another
   * process); `E_CONFIG` (made by another model, damaged, another kind of file).
   */
  static async open(path: string, options: OpenIndexOptions): Promise<EmbeddingIndex> {
    requireObject("options", options);
    const { readOnly: isReadOnly = false, memoryBytes, embeddingSize, fingerprint } = options;
    if (typeof path !== "string" || path === "") {
      throw expected("E_ARGUMENT", "a path", "path", path);
    }
    checkIndexModel(options);
    if (memoryBytes !== undefined) checkCount("memoryBytes", memoryBytes);
    const database = await IndexDatabase.open(path, { isReadOnly, memoryBytes });
    try {
      const model = { embeddingSize, fingerprint };
      if (!isReadOnly) await database.write((transaction) => createTables(transaction, model));
      const found = await readProperties(database);
      requireModel(path, model, found);
      return new EmbeddingIndex(database, model, isReadOnly);
    } catch (error) {
      await database.close();
      throw error;
    }
  }

  /**
   * Read which model made an index, without that model.
   *
   * Errors: `E_SETUP`, `E_IO`, `E_CONFIG` (damaged, another kind of file).
   */
  static async modelOf(path: string): Promise<IndexModel> {
    const database = await IndexDatabase.open(path, { isReadOnly: true });
    try {
      return await readProperties(database);
    } finally {
      await database.close();
    }
  }

  /** Add rows, to known or new files. Errors: `E_ARGUMENT`, `E_SHAPE`, `E_NONFINITE`. */
  async add(rows: readonly IndexRow[]): Promise<void> {
    this.#requireWritable();
    requireList("rows", rows);
    rows.forEach((row, i) => this.#checkRow(row, `rows[${i}]`));
    if (rows.length === 0) return;
    await this.#database.write(async (transaction) => {
      const paths = [...new Set(rows.map(({ file }) => file))];
      const ids = await this.#idsOf(transaction, paths);
      const next = await nextId(transaction);
      const fresh = paths.filter((path) => !ids.has(path));
      fresh.forEach((path, i) => ids.set(path, next + i));
      await transaction.append(
        "files",
        fresh.map((path) => [ids.get(path) ?? null, path, null, null, null]),
      );
      await transaction.append(
        "embeddings",
        rows.map(({ file, startSeconds, endSeconds, embedding }) => {
          return [ids.get(file) ?? null, startSeconds, endSeconds, embedding];
        }),
      );
    });
  }

  /** Put files with all their rows in the place of what the index has of them. */
  async replace(files: readonly IndexedFile[]): Promise<void> {
    this.#requireWritable();
    requireList("files", files);
    for (const { file, rows } of files) {
      requireFile("file", file);
      requireList(`rows of ${file}`, rows);
      rows.forEach((row, i) => this.#checkRow({ ...row, file }, `${file}, row ${i}`));
    }
    if (files.length === 0) return;
    await this.#database.write(async (transaction) => {
      await this.#delete(
        transaction,
        files.map(({ file }) => file),
      );
      const next = await nextId(transaction);
      await transaction.append(
        "files",
        files.map(({ file, size, modified, hash }, i) => {
          return [next + i, file, size ?? null, modified ?? null, hash ?? null];
        }),
      );
      await transaction.append(
        "embeddings",
        files.flatMap(({ rows }, i) =>
          rows.map((row) => [next + i, row.startSeconds, row.endSeconds, row.embedding]),
        ),
      );
    });
  }

  /** Change what is known of a file, its name included, and keep its rows. */
  async rename(from: string, to: Omit<IndexedFile, "rows">): Promise<void> {
    this.#requireWritable();
    requireFile("from", from);
    requireObject("to", to);
    const { file, size, modified, hash } = to;
    requireFile("file", file);
    const parameters = { file, size: size ?? null, modified: modified ?? null, hash: hash ?? null };
    await this.#database.write(async (transaction) => {
      if (from !== file) await this.#delete(transaction, [file]);
      await transaction.query(
        `UPDATE files SET path = $file, size = $size, modified = $modified, hash = $hash
         WHERE path = $from`,
        { ...parameters, from },
      );
    });
  }

  /** Take files and their rows out; those that are not in it are no error. */
  async remove(files: readonly string[]): Promise<void> {
    this.#requireWritable();
    requireList("files", files);
    files.forEach((file, i) => requireFile(`files[${i}]`, file));
    if (files.length === 0) return;
    await this.#database.write((transaction) => this.#delete(transaction, files));
  }

  /** List the files, as they were when they were put in. */
  async files(): Promise<readonly FileState[]> {
    const rows = await this.#database.read("SELECT path, size, modified, hash FROM files");
    return rows.map(({ path, size, modified, hash }) => ({
      file: path as string,
      size: size as number | null,
      modified: modified as number | null,
      hash: hash as string | null,
    }));
  }

  /**
   * Find the rows nearest to an embedding of unit norm, best first; of equal ones the first added.
   *
   * Errors: `E_ARGUMENT`, `E_SHAPE`, `E_NONFINITE`, `E_ABORTED`, `E_DISPOSED`.
   */
  async search(
    embedding: Float32Array,
    options: IndexSearchOptions = {},
  ): Promise<readonly SearchHit[]> {
    checkEmbedding("embedding", embedding, this.embeddingSize);
    const { limit, perFile, filter } = checkSearchOptions(options);
    const where =
      filter === undefined ? "" : "WHERE file IN (SELECT id FROM files WHERE path GLOB $filter)";
    // In a selection of its own: beside the embeddings it would carry them along.
    const best =
      perFile === undefined
        ? ""
        : `QUALIFY row_number() OVER (
            PARTITION BY file ORDER BY score DESC, start_seconds
          ) <= ${perFile}`;
    const sql = `
      WITH scored AS (
        SELECT file, start_seconds, end_seconds,
          array_inner_product(embedding, $query::FLOAT[${this.embeddingSize}]) AS score
        FROM embeddings ${where}
      ), best AS (
        FROM scored ${best} ORDER BY score DESC, file, start_seconds LIMIT ${limit}
      )
      SELECT path, start_seconds, end_seconds, score
      FROM best JOIN files ON files.id = best.file
      ORDER BY score DESC, file, start_seconds`;
    const query = this.#database.vector(embedding);
    const parameters = filter === undefined ? { query } : { query, filter };
    return (await this.#database.read(sql, parameters, options)).map(hitOf);
  }

  /** Count what the index holds. */
  async stats(): Promise<IndexStats> {
    const [counts] = await this.#database.read(
      `SELECT (SELECT count(*) FROM files)::DOUBLE AS files,
        (SELECT count(*) FROM embeddings)::DOUBLE AS rows`,
    );
    const bytes = await stat(this.path).then(
      ({ size }) => size,
      () => 0,
    );
    return { files: counts?.["files"] as number, rows: counts?.["rows"] as number, bytes };
  }

  /** Read a property that was kept beside the embeddings. */
  async property(key: string): Promise<string | null> {
    const sql = "SELECT value FROM properties WHERE key = $key";
    const [row] = await this.#database.read(sql, { key });
    return (row?.["value"] as string | undefined) ?? null;
  }

  /** Keep a property beside the embeddings. */
  async setProperty(key: string, value: string): Promise<void> {
    this.#requireWritable();
    if (["format", "embeddingSize", "fingerprint"].includes(key)) {
      throw expected("E_ARGUMENT", "a property of your own", "key", key);
    }
    await this.#database.write(async (transaction) => {
      await transaction.query("DELETE FROM properties WHERE key = $key", { key });
      await transaction.append("properties", [[key, value]]);
    });
  }

  /** Wait for the calls that run, then close the file. Idempotent. */
  async close(): Promise<void> {
    await this.#database.close().catch((error: unknown) => {
      throw toMusicLDMError(error);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #idsOf(transaction: Transaction, paths: readonly string[]): Promise<Map<string, number>> {
    const known = await transaction.query(
      "SELECT path, id FROM files WHERE path IN (SELECT unnest($paths))",
      { paths: this.#database.texts(paths) },
    );
    return new Map(known.map(({ path, id }) => [path as string, id as number]));
  }

  async #delete(transaction: Transaction, files: readonly string[]): Promise<void> {
    const ids = [...(await this.#idsOf(transaction, files)).values()];
    if (ids.length === 0) return;
    const list = ids.join(", ");
    await transaction.query(`DELETE FROM embeddings WHERE file IN (${list})`);
    await transaction.query(`DELETE FROM files WHERE id IN (${list})`);
  }

  #checkRow(row: IndexRow, name: string): void {
    requireObject(name, row);
    const { file, startSeconds, endSeconds, embedding } = row;
    requireFile(`file of ${name}`, file);
    checkSpan(name, startSeconds, endSeconds);
    checkEmbedding(`embedding of ${name}`, embedding, this.embeddingSize);
  }

  #requireWritable(): void {
    if (!this.isReadOnly) return;
    throw expected("E_ARGUMENT", "an index that was not opened readOnly", "the call", this.path);
  }
}

function requireFile(name: string, file: unknown): void {
  if (typeof file === "string" && file !== "") return;
  throw expected("E_ARGUMENT", "a file name", name, file);
}

async function nextId(transaction: Transaction): Promise<number> {
  const [row] = await transaction.query("SELECT coalesce(max(id), -1) + 1 AS next FROM files");
  return Number(row?.["next"]);
}

function requireModel(file: string, wanted: IndexModel, found: IndexModel): void {
  for (const key of ["embeddingSize", "fingerprint"] as const) {
    if (wanted[key] === found[key]) continue;
    const message =
      `Expected an index of the model with ${key} ${wanted[key]} for ${file} ` +
      `but it was made with ${found[key]}: delete it, or use the model that made it`;
    throw new MusicLDMError("E_CONFIG", message, {
      file,
      key,
      hint: "delete the index, use its model, or keep another index for this model",
      wanted: wanted[key],
      found: found[key],
    });
  }
}

function hitOf(row: Row): SearchHit {
  return {
    file: row["path"] as string,
    startSeconds: row["start_seconds"] as number,
    endSeconds: row["end_seconds"] as number,
    score: row["score"] as number,
  };
}
