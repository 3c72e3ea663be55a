import { stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import type { Clap } from "../clap/clap.js";
import type { EmbeddingIndex, SearchHit } from "../clap/embedding-index.js";
import type { IndexFolderReport } from "../clap/index-folder.js";
import type { SearchQuery } from "../clap/search.js";
import type { CallOptions } from "../runtime/abort.js";
import { toMusicLDMError } from "../runtime/errors.js";
import { bar, column } from "./bars.js";
import { addClapMachine, inputOf, openClap } from "./clap-model.js";
import type { ClapFlags } from "./clap-model.js";
import { UsageError } from "./failure.js";
import { parseCount, parseNumber } from "./parse.js";
import { createProgress } from "./progress.js";
import { print, printJson } from "./session.js";
import type { Session } from "./session.js";

interface SearchFlags extends ClapFlags {
  readonly model?: string;
  readonly audio?: string;
  readonly index?: string;
  readonly limit: number;
  readonly perFile?: number;
  readonly filter?: string;
  readonly window?: number;
  readonly hop?: number;
  readonly update: boolean;
}

const notes = `
The first search of a folder listens to all of its files, which takes a while, and keeps what it has
heard in an index beside the folder, FOLDER.clap.duckdb. Later ones listen to new and changed files
only. An index belongs to one model; delete it to change model, --window or --hop.

Scores are cosines: 1 is the same, 0 is unrelated. Compare them with each other, not across models.

Examples:
  $ musicldm search ./samples "a dog barks" --model ./clap
  $ musicldm search ./samples --audio bark.wav --model ./clap   what sounds like this file
  $ musicldm search ./mixes applause --model ./clap --hop 1     where in the files, to the second
  $ musicldm search ./samples snare --model ./clap --filter "drums/*" --per-file 1
  $ musicldm search samples.clap.duckdb rain --model ./clap     an index as it is
  $ musicldm search ./samples rain --model ./clap --json | jq -r ".hits[0].path"`;

/** Declare `search`. */
export function addSearch(program: Command, session: Session): void {
  const command = program
    .command("search")
    .summary("find sounds in a folder by words or by another sound")
    .description("Find the parts of a folder's audio files that fit words, or sound like a file.")
    .argument("<index-or-folder>", "folder of audio files, or index file")
    .argument("[query]", "what to search for, in words")
    .option("--model <folder>", "CLAP folder, or MusicLDM folder with a whole CLAP")
    .option("--audio <file>", "search for what sounds like this file; - for standard input")
    .option("--limit <n>", "hits at most", parseCount, 10)
    .option("--per-file <n>", "hits of one file at most", parseCount)
    .option("--filter <glob>", "only files whose path fits, such as 'drums/*'")
    .optionsGroup("Index:")
    .option("--window <seconds>", "length of a window (default: the model's)", parseNumber)
    .option("--hop <seconds>", "from one window to the next (default: half)", parseNumber)
    .option("--index <file>", "where the index is (default: beside the folder)")
    .option("--no-update", "search the index as it is, without looking at the folder");
  addClapMachine(command);
  command
    .addHelpText("after", notes)
    .action((target: string, query: string | undefined, flags: SearchFlags) =>
      runSearch(target, query, flags, session),
    );
}

/** @throws UsageError */
function queryOf(text: string | undefined, { audio }: SearchFlags): SearchQuery {
  if (text !== undefined && audio !== undefined) throw new UsageError("--audio excludes a text");
  if (audio !== undefined) return { audio: inputOf(audio) };
  if (text !== undefined && text !== "") return { text };
  throw new UsageError("Expected what to search for: words, or --audio FILE");
}

/** Where audio and index are. @throws E_IO */
async function locate(target: string, { index, update }: SearchFlags) {
  const found = await stat(target).catch((error: unknown) => {
    throw toMusicLDMError(error);
  });
  if (!found.isDirectory()) return { folder: undefined, path: target, update: false };
  return { folder: target, path: index ?? `${resolve(target)}.clap.duckdb`, update };
}

type Place = Awaited<ReturnType<typeof locate>>;

async function runSearch(
  target: string,
  text: string | undefined,
  flags: SearchFlags,
  session: Session,
): Promise<void> {
  const query = queryOf(text, flags);
  if (flags.model === undefined) throw new UsageError("Expected --model FOLDER, a CLAP folder");
  const place = await locate(target, flags);
  const progress = await createProgress(flags.quiet === true);
  const call = { signal: session.signal, onProgress: progress.report };
  try {
    using clap = await openClap(flags.model, flags, call);
    const { EmbeddingIndex } = await import("../clap/embedding-index.js");
    const { embeddingSize, fingerprint } = clap;
    const options = { embeddingSize, fingerprint, readOnly: !place.update };
    await using index = await EmbeddingIndex.open(place.path, options);
    const report = await update(clap, index, place, { ...flags, ...call });
    const { limit, perFile, filter } = flags;
    const wanted = { limit, perFile, filter, signal: session.signal };
    const hits = await clap.search(index, query, wanted);
    progress.stop();
    await show(place, hits, report, flags);
  } finally {
    progress.stop();
  }
}

async function update(
  clap: Clap,
  index: EmbeddingIndex,
  { folder, update }: Place,
  { window, hop, signal, onProgress }: Pick<SearchFlags, "window" | "hop"> & CallOptions,
): Promise<IndexFolderReport | null> {
  if (folder === undefined || !update) return null;
  const { indexFolder } = await import("../clap/index-folder.js");
  const windows = { windowSeconds: window, hopSeconds: hop };
  return await indexFolder(clap, folder, index, { ...windows, signal, onProgress });
}

async function show(
  { folder, path }: Place,
  hits: readonly SearchHit[],
  report: IndexFolderReport | null,
  { json = false, quiet = false }: SearchFlags,
): Promise<void> {
  const { failures = [], ...counts } = report ?? {};
  if (json) {
    const rows = hits.map((hit) => ({ ...hit, path: folder ? join(folder, hit.file) : null }));
    const failed = failures.map(({ file, error: { code, message } }) => ({ file, code, message }));
    const update = report && { ...counts, failures: failed };
    return printJson({ index: path, update, hits: rows });
  }
  if (!quiet) process.stderr.write(describeUpdate(report));
  if (hits.length === 0) return print("nothing found");
  await print(describeHits(hits).join("\n"));
}

/** Failures that are named on a terminal. */
const namedFailures = 5;

function describeUpdate(report: IndexFolderReport | null): string {
  if (!report) return "";
  const { failures, unchanged, ...counts } = report;
  const changes = Object.entries(counts).flatMap(([what, n]) => (n > 0 ? [`${n} ${what}`] : []));
  const news =
    changes.length > 0 ? [`index: ${[...changes, `${unchanged} as before`].join(", ")}`] : [];
  const named = failures.slice(0, namedFailures);
  const warnings = named.map(({ file, error }) => `warning: ${file}: ${error.message}`);
  const rest = failures.length - named.length;
  if (rest > 0) warnings.push(`warning: ${rest} more files cannot be read; --json lists them`);
  return [...news, ...warnings].map((line) => `${line.replace(/\p{Cc}/gu, " ")}\n`).join("");
}

/** Minutes and seconds, with hours where there are any. */
export function clockTime(seconds: number): string {
  const tenths = Math.round(10 * seconds);
  const [hours, minutes] = [Math.floor(tenths / 36_000), Math.floor(tenths / 600) % 60];
  const rest = ((tenths % 600) / 10).toFixed(1).padStart(4, "0");
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

/** The greatest of any number of counts. */
function most(counts: readonly number[]): number {
  return counts.reduce((greatest, count) => Math.max(greatest, count), 0);
}

function describeHits(hits: readonly SearchHit[]): readonly string[] {
  const columns = Math.min(48, most(hits.map(({ file }) => [...file].length)));
  const times = hits.map(({ startSeconds, endSeconds }) => {
    return `${clockTime(startSeconds)} – ${clockTime(endSeconds)}`;
  });
  const width = most(times.map((time) => time.length));
  return hits.map(({ file, score }, i) => {
    const time = (times[i] ?? "").padStart(width);
    const cells = [score.toFixed(3).padStart(6), column(file, columns), time, bar(score)];
    return cells.join("  ").trimEnd();
  });
}
