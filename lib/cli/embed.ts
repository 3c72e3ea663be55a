import { access, constants } from "node:fs/promises";
import { dirname } from "node:path";
import { Option } from "commander";
import type { Command } from "commander";
import type { AudioPool, TimedEmbedding } from "../clap/types.js";
import type { Clap } from "../clap/clap.js";
import type { CallOptions } from "../runtime/abort.js";
import { toMusicLDMError } from "../runtime/errors.js";
import { replaceFile } from "../runtime/replace.js";
import { addClapMachine, addListening, inputOf, listening, openClap } from "./clap-model.js";
import type { ClapFlags, ListenFlags } from "./clap-model.js";
import { UsageError } from "./failure.js";
import { collectText } from "./parse.js";
import { createProgress } from "./progress.js";
import { print, printJson } from "./session.js";
import type { Session } from "./session.js";

interface EmbedFlags extends ClapFlags, ListenFlags {
  readonly text?: readonly string[];
  readonly pool: AudioPool;
  readonly output?: string;
}

/** One embedding and what it is of. */
interface EmbeddedRow {
  readonly kind: "audio" | "text";
  /** The file, or the text. */
  readonly name: string;
  readonly startSeconds?: number;
  readonly endSeconds?: number;
  readonly embedding: Float32Array;
}

const notes = `
An embedding is a list of 512 numbers of length 1; the product of two (their cosine) says how well
they fit: sound to sound, sound to text, text to text. Files longer than 10 s are heard in windows
that overlap by half; --pool says what becomes of these: one mean, one maximum, or one row each.

Without --output, each row is a line of JSON: {"kind", "name", "embedding", ...}. An --output in
.jsonl gets the same lines; one in .safetensors gets a tensor "embeddings" [rows, width], and the
names in its metadata. A file called - is standard input.

Examples:
  $ musicldm embed ./clap rain.flac birds.mp3 -o sounds.safetensors
  $ musicldm embed ./clap --text "a dog barks" --text "heavy rain"
  $ musicldm embed ./clap concert.ogg --pool timeline --hop 1 -o concert.jsonl`;

/** Declare `embed`. */
export function addEmbed(program: Command, session: Session): void {
  const command = program
    .command("embed")
    .summary("turn sounds and texts into CLAP embeddings")
    .description("Turn sounds and texts into CLAP embeddings, which can be compared.")
    .argument("<model>", "CLAP folder, or MusicLDM folder with a whole CLAP")
    .argument("[files...]", "audio files")
    .option("-t, --text <text>", "a text to embed as well; may be repeated", collectText)
    .addOption(
      new Option("--pool <kind>", "what becomes of the windows of a long file")
        .choices(["mean", "max", "timeline"])
        .default("mean"),
    )
    .option("-o, --output <file>", "file in .jsonl or .safetensors");
  addListening(command);
  addClapMachine(command);
  command
    .addHelpText("after", notes)
    .action((model: string, files: readonly string[], flags: EmbedFlags) =>
      runEmbed(model, files, flags, session),
    );
}

async function runEmbed(
  model: string,
  files: readonly string[],
  flags: EmbedFlags,
  session: Session,
): Promise<void> {
  const { text: texts = [], output } = flags;
  if (files.length + texts.length === 0) throw new UsageError("Expected files, or --text");
  if (output !== undefined && !/\.(jsonl|safetensors)$/i.test(output)) {
    throw new UsageError(`Expected --output in .jsonl or .safetensors but received ${output}`);
  }
  if (output !== undefined) await access(dirname(output), constants.W_OK).catch(rethrow);
  const progress = await createProgress(flags.quiet === true);
  const call = { signal: session.signal, onProgress: progress.report };
  const rows = await embedAll(model, files, flags, call).finally(progress.stop);
  if (output !== undefined) await write(output, rows);
  if (flags.json) return printJson({ output: output ?? null, rows: rows.map(plain) });
  if (output === undefined) return print(lines(rows));
  if (!flags.quiet) await print(`Wrote ${rows.length} embeddings to ${output}`);
}

async function embedAll(
  model: string,
  files: readonly string[],
  flags: EmbedFlags,
  call: CallOptions,
): Promise<readonly EmbeddedRow[]> {
  using clap = await openClap(model, flags, call);
  const { text: texts = [] } = flags;
  const heard = files.length > 0 ? await listen(clap, files, flags, call) : [];
  const read = texts.length > 0 ? await clap.embedText(texts, call) : [];
  return [
    ...heard,
    ...read.map((embedding, i) => ({ kind: "text", name: texts[i] ?? "", embedding }) as const),
  ];
}

async function listen(
  clap: Clap,
  files: readonly string[],
  flags: EmbedFlags,
  call: CallOptions,
): Promise<readonly EmbeddedRow[]> {
  const inputs = files.map(inputOf);
  const options = listening(flags, call);
  const { pool } = flags;
  const row = (i: number) => ({ kind: "audio", name: files[i] ?? "" }) as const;
  if (pool !== "timeline") {
    const rows = await clap.embedAudio(inputs, { ...options, pool });
    return rows.map((embedding, i) => ({ ...row(i), embedding }));
  }
  const clips = await clap.embedAudio(inputs, { ...options, pool });
  return clips.flatMap((windows, i) =>
    windows.map((window: TimedEmbedding) => ({ ...row(i), ...window })),
  );
}

/** A row as JSON holds it. */
function plain({ embedding, ...row }: EmbeddedRow): unknown {
  return { ...row, embedding: [...embedding] };
}

function lines(rows: readonly EmbeddedRow[]): string {
  return rows.map((row) => JSON.stringify(plain(row))).join("\n");
}

function rethrow(error: unknown): never {
  throw toMusicLDMError(error);
}

async function write(path: string, rows: readonly EmbeddedRow[]): Promise<void> {
  if (/\.jsonl$/i.test(path)) {
    await replaceFile(path, (file) => file.writeFile(`${lines(rows)}\n`)).catch(rethrow);
    return;
  }
  const [{ writeSafetensors }, { tensorOf }] = await Promise.all([
    import("../checkpoint/safetensors.js"),
    import("../clap/unit.js"),
  ]);
  using embeddings = await tensorOf(rows.map(({ embedding }) => embedding));
  const names = rows.map(({ embedding: _, ...row }) => row);
  await writeSafetensors(path, { embeddings }, { format: "pt", rows: JSON.stringify(names) });
}
