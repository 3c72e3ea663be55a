import { MusicLDMError } from "../runtime/errors.js";
import type { IndexDatabase, Transaction } from "./index-database.js";
import type { IndexModel } from "./index-input.js";

/** What `properties` says under `format`; another number means other tables. */
const format = "musicldm embedding index 1";

const tables = (embeddingSize: number): readonly string[] => [
  "CREATE TABLE properties (key VARCHAR NOT NULL, value VARCHAR NOT NULL)",
  `CREATE TABLE files (id INTEGER NOT NULL, path VARCHAR NOT NULL,
     size DOUBLE, modified DOUBLE, hash VARCHAR)`,
  `CREATE TABLE embeddings (file INTEGER NOT NULL, start_seconds DOUBLE NOT NULL,
     end_seconds DOUBLE NOT NULL, embedding FLOAT[${embeddingSize}] NOT NULL)`,
];

/** Make the tables of an empty database; leave any other as it is. */
export async function createTables(
  transaction: Transaction,
  { embeddingSize, fingerprint }: IndexModel,
): Promise<void> {
  const found = await transaction.query(
    "SELECT 1 FROM duckdb_tables() WHERE database_name = current_database() LIMIT 1",
  );
  if (found.length > 0) return;
  for (const sql of tables(embeddingSize)) await transaction.query(sql);
  await transaction.append("properties", [
    ["format", format],
    ["embeddingSize", String(embeddingSize)],
    ["fingerprint", fingerprint],
  ]);
}

/** Read which model made an index. Errors: `E_CONFIG` where the file is none. */
export async function readProperties(database: IndexDatabase): Promise<IndexModel> {
  const sql = `SELECT count(*)::INTEGER AS count FROM duckdb_tables()
    WHERE database_name = current_database()
      AND table_name IN ('properties', 'files', 'embeddings')`;
  const [tables] = await database.read(sql);
  const rows = tables?.["count"] === 3 ? await database.read("FROM properties") : [];
  const properties = new Map(rows.map(({ key, value }) => [key, value]));
  const embeddingSize = Number(properties.get("embeddingSize"));
  const fingerprint = properties.get("fingerprint");
  const isIndex = properties.get("format") === format && Number.isSafeInteger(embeddingSize);
  if (isIndex && typeof fingerprint === "string") return { embeddingSize, fingerprint };
  const { path } = database;
  const message = `Expected an embedding index for ${path} but received another DuckDB database`;
  throw new MusicLDMError("E_CONFIG", message, { path, format: properties.get("format") });
}
