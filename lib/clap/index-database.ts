import type * as DuckDB from "@duckdb/node-api";
import { MusicLDMError } from "../runtime/errors.js";
import { throwIfAborted } from "../runtime/native.js";
import { claimFile } from "./index-claims.js";

/** Named values of a statement. */
export type Parameters = Readonly<Record<string, DuckDB.DuckDBValue>>;

/** A row by column names: numbers, texts and nulls. */
export type Row = Readonly<Record<string, unknown>>;

/** Values of one row of a table, in the order of its columns. */
export type Cells = readonly (number | string | null | Float32Array)[];

export interface DatabaseOptions {
  readonly isReadOnly: boolean;
  readonly memoryBytes?: number | undefined;
}

export interface ReadOptions {
  readonly signal?: AbortSignal | undefined;
}

const packageName = "@duckdb/node-api";
/** Rows that are handed to the engine together; they are copied on the JavaScript thread. */
const chunkRows = 256;
/**
 * Rows of a row group. A checkpoint writes the last one anew, and with DuckDB's own 122,880 rows a
 * file of embeddings takes twice the space and time.
 */
const rowGroupRows = 2048;
/** Log that is kept before it moves into the tables. */
const checkpointSize = "128MB";
/** The name under which a connection knows the file. */
const catalog = "store";

async function loadLibrary(): Promise<typeof DuckDB> {
  try {
    return await import("@duckdb/node-api");
  } catch (cause) {
    const message =
      `Expected the package ${packageName} for an embedding index but it cannot be loaded: ` +
      `run npm install ${packageName}`;
    throw new MusicLDMError("E_SETUP", message, { package: packageName, cause });
  }
}

/** Turn what DuckDB threw into a typed error. */
function engineError(path: string, cause: unknown): MusicLDMError {
  if (cause instanceof MusicLDMError) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  const fail = (code: MusicLDMError["code"], message: string, hint?: string): MusicLDMError =>
    new MusicLDMError(code, `${message}: ${reason}`, { path, cause, ...(hint && { hint }) });
  if (/interrupt/i.test(reason)) return fail("E_ABORTED", "The call was aborted");
  if (/out of memory/i.test(reason)) return fail("E_OUT_OF_MEMORY", `No memory for ${path}`);
  if (/lock/i.test(reason) && /IO Error/.test(reason)) {
    return fail(
      "E_IO",
      `Expected an index that no other process writes for ${path} but it is open`,
    );
  }
  const isDamage =
    /not a valid DuckDB|not read enough|corrupt|checksum|deserializ|serialization|INTERNAL/i;
  if (isDamage.test(reason)) {
    return fail(
      "E_CONFIG",
      `Expected an embedding index for ${path} but it is damaged or another file`,
      "delete the index, or name another file, and index the folder again",
    );
  }
  if (/does not exist/.test(reason)) {
    return fail("E_IO", `Cannot use the index ${path}`, "index the folder before searching it");
  }
  const isSystem = /IO Error|Cannot open|read-only|No space/i.test(reason);
  return fail(isSystem ? "E_IO" : "E_INTERNAL", `Cannot use the index ${path}`);
}

function settingsOf({ memoryBytes }: DatabaseOptions): Record<string, string> {
  return {
    ...(memoryBytes !== undefined && { memory_limit: `${memoryBytes}B` }),
    checkpoint_threshold: checkpointSize,
    autoinstall_known_extensions: "false",
    autoload_known_extensions: "false",
  };
}

function attachment(path: string, isReadOnly: boolean): string {
  const options = isReadOnly ? "READ_ONLY" : `ROW_GROUP_SIZE ${rowGroupRows}`;
  return `ATTACH '${path.replaceAll("'", "''")}' AS ${catalog} (TYPE duckdb, ${options})`;
}

interface DatabaseParts {
  readonly library: typeof DuckDB;
  readonly instance: DuckDB.DuckDBInstance;
  readonly writer: DuckDB.DuckDBConnection;
  /** Gives the claim on the file back. */
  readonly release: () => void;
}

/** What a transaction can do. */
export interface Transaction {
  query(sql: string, parameters?: Parameters): Promise<readonly Row[]>;
  append(table: string, rows: readonly Cells[]): Promise<void>;
}

/**
 * A DuckDB file: one transaction at a time for writing, and reads beside it that see what was
 * committed before. Nothing outside the file can be reached from it.
 *
 * @internal
 */
export class IndexDatabase {
  readonly path: string;
  readonly #library: typeof DuckDB;
  readonly #instance: DuckDB.DuckDBInstance;
  readonly #writer: DuckDB.DuckDBConnection;
  readonly #release: () => void;
  readonly #pending = new Set<Promise<unknown>>();
  #queue: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | undefined;

  private constructor(path: string, { library, instance, writer, release }: DatabaseParts) {
    this.path = path;
    this.#library = library;
    this.#instance = instance;
    this.#writer = writer;
    this.#release = release;
  }

  /** Open or create. Errors: `E_SETUP`, `E_IO`, `E_CONFIG` (damaged, another kind of file). */
  static async open(path: string, options: DatabaseOptions): Promise<IndexDatabase> {
    const library = await loadLibrary();
    const release = await claimFile(path, options.isReadOnly);
    let instance: DuckDB.DuckDBInstance | undefined;
    try {
      instance = await library.DuckDBInstance.create(":memory:", settingsOf(options));
      const writer = await instance.connect();
      await writer.run(attachment(path, options.isReadOnly));
      // A file of others may define what reads elsewhere.
      await writer.run(`SET enable_external_access = false; USE ${catalog}`);
      return new IndexDatabase(path, { library, instance, writer, release });
    } catch (error) {
      instance?.closeSync();
      release();
      throw engineError(path, error);
    }
  }

  /** Embeddings as a statement takes them. */
  vector(values: Float32Array): DuckDB.DuckDBValue {
    return this.#library.arrayValue([...values]);
  }

  /** Texts as a statement takes them. */
  texts(values: readonly string[]): DuckDB.DuckDBValue {
    return this.#library.listValue([...values]);
  }

  /** Run a statement beside all others. Errors: `E_DISPOSED`, `E_ABORTED`, `E_CONFIG`, `E_IO`. */
  async read(
    sql: string,
    parameters: Parameters = {},
    options: ReadOptions = {},
  ): Promise<readonly Row[]> {
    return await this.#track(this.#read(sql, parameters, options));
  }

  /** Run statements that take effect together or not at all. */
  async write<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
    this.#requireOpen();
    const turn = this.#queue.then(() => this.#transact(work));
    this.#queue = turn.catch(() => undefined);
    return await this.#track(turn);
  }

  /** Wait for what runs, then close. Idempotent. */
  async close(): Promise<void> {
    this.#closing ??= this.#close();
    await this.#closing;
  }

  async #close(): Promise<void> {
    await Promise.allSettled(this.#pending);
    // On the engine's threads, so that closing finds nothing left to do.
    await this.#writer.run(`CHECKPOINT ${catalog}`).catch(() => undefined);
    this.#writer.disconnectSync();
    this.#instance.closeSync();
    this.#release();
  }

  async #read(sql: string, parameters: Parameters, { signal }: ReadOptions) {
    this.#requireOpen();
    throwIfAborted(signal);
    // A connection of its own, so that an abort ends this call and no other.
    const connection = await this.#instance.connect();
    const interrupt = (): void => connection.interrupt();
    signal?.addEventListener("abort", interrupt, { once: true });
    try {
      await connection.run(`USE ${catalog}`);
      return await rowsOf(connection, sql, parameters);
    } catch (error) {
      throwIfAborted(signal);
      throw engineError(this.path, error);
    } finally {
      signal?.removeEventListener("abort", interrupt);
      connection.disconnectSync();
    }
  }

  async #transact<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
    try {
      await this.#writer.run("BEGIN TRANSACTION");
      try {
        const result = await work({
          query: (sql, parameters = {}) => rowsOf(this.#writer, sql, parameters),
          append: (table, rows) => this.#append(table, rows),
        });
        await this.#writer.run("COMMIT");
        return result;
      } catch (error) {
        await this.#writer.run("ROLLBACK").catch(() => undefined);
        throw error;
      }
    } catch (error) {
      throw engineError(this.path, error);
    }
  }

  async #append(table: string, rows: readonly Cells[]): Promise<void> {
    if (rows.length === 0) return;
    const { DuckDBDataChunk } = this.#library;
    const appender = await this.#writer.createAppender(table, null, catalog);
    try {
      const types = Array.from({ length: appender.columnCount }, (_, i) => appender.columnType(i));
      for (let start = 0; start < rows.length; start += chunkRows) {
        const part = rows.slice(start, start + chunkRows);
        const chunk = DuckDBDataChunk.create(types, part.length);
        chunk.setRows(part.map((cells) => cells.map((cell) => this.#cell(cell))));
        appender.appendDataChunk(chunk);
        appender.flushSync();
        await new Promise((resolve) => setImmediate(resolve));
      }
    } finally {
      appender.closeSync();
    }
  }

  #cell(cell: Cells[number]): DuckDB.DuckDBValue {
    return cell instanceof Float32Array ? this.vector(cell) : cell;
  }

  #requireOpen(): void {
    if (this.#closing === undefined) return;
    const message = "Expected an open EmbeddingIndex but it was closed";
    throw new MusicLDMError("E_DISPOSED", message, { name: "EmbeddingIndex" });
  }

  async #track<T>(promise: Promise<T>): Promise<T> {
    this.#pending.add(promise);
    try {
      return await promise;
    } finally {
      this.#pending.delete(promise);
    }
  }
}

async function rowsOf(
  connection: DuckDB.DuckDBConnection,
  sql: string,
  parameters: Parameters,
): Promise<readonly Row[]> {
  const reader = await connection.runAndReadAll(sql, { ...parameters });
  return reader.getRowObjectsJS();
}
