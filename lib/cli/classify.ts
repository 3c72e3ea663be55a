import { readFile } from "node:fs/promises";
import type { Command } from "commander";
import type { Classification } from "../clap/types.js";
import { toMusicLDMError } from "../runtime/errors.js";
import { bar, column } from "./bars.js";
import { addClapMachine, addListening, inputOf, listening, openClap } from "./clap-model.js";
import type { ClapFlags, ListenFlags } from "./clap-model.js";
import { UsageError } from "./failure.js";
import { collectText, parseCount } from "./parse.js";
import { createProgress } from "./progress.js";
import { print, printJson } from "./session.js";
import type { Session } from "./session.js";

interface ClassifyFlags extends ClapFlags, ListenFlags {
  readonly labels?: readonly string[];
  readonly labelsFile?: string;
  readonly template?: readonly string[];
  readonly pool: "mean" | "max";
  readonly top?: number;
}

const notes = `
Nothing is trained: each label becomes a text by the template, and the texts are compared with the
sound. Percentages are over the given labels, so a label for "none of these" helps. Of several
templates the mean is taken.

Examples:
  $ musicldm classify ./clap street.wav --labels "dog,car horn,siren,children playing"
  $ musicldm classify ./clap song.mp3 --labels-file genres.txt --template "This is a {label} song."
  $ musicldm classify ./clap *.flac --labels speech,music --json | jq '.items[].labels[0].label'`;

/** Declare `classify`. */
export function addClassify(program: Command, session: Session): void {
  const command = program
    .command("classify")
    .summary("say which of some labels fits a sound")
    .description("Say which label fits a sound best, by CLAP and without training.")
    .argument("<model>", "CLAP folder, or MusicLDM folder with a whole CLAP")
    .argument("<files...>", "audio files; - for standard input")
    .option("-l, --labels <list>", "labels, separated by commas", parseLabels)
    .option("--labels-file <file>", "one label per line")
    .option("--template <text>", "text with {label} in it; may be repeated", collectText)
    .option("--top <n>", "print no more than the best n", parseCount);
  addListening(command);
  addClapMachine(command);
  command
    .addHelpText("after", notes)
    .action((model: string, files: readonly string[], flags: ClassifyFlags) =>
      runClassify(model, files, flags, session),
    );
}

function parseLabels(text: string, before: readonly string[] = []): readonly string[] {
  const labels = text.split(",").map((label) => label.trim());
  return [...before, ...labels.filter((label) => label !== "")];
}

async function readLabels({ labels = [], labelsFile }: ClassifyFlags): Promise<readonly string[]> {
  const text =
    labelsFile === undefined
      ? ""
      : await readFile(labelsFile, "utf8").catch((error: unknown) => {
          throw toMusicLDMError(error);
        });
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  const all = [...labels, ...lines.filter((line) => line !== "")];
  if (all.length === 0) throw new UsageError("Expected --labels or --labels-file");
  return [...new Set(all)];
}

interface ClassifiedFile {
  readonly file: string;
  readonly labels: readonly Classification[];
}

async function runClassify(
  model: string,
  files: readonly string[],
  flags: ClassifyFlags,
  session: Session,
): Promise<void> {
  const labels = await readLabels(flags);
  const progress = await createProgress(flags.quiet === true);
  const call = { signal: session.signal, onProgress: progress.report };
  const items: ClassifiedFile[] = [];
  try {
    using clap = await openClap(model, flags, call);
    const { template } = flags;
    for (const file of files) {
      const options = { ...listening(flags, call), template };
      const ranked = await clap.classify(inputOf(file), labels, options);
      items.push({ file, labels: ranked.slice(0, flags.top) });
    }
  } finally {
    progress.stop();
  }
  if (flags.json) return printJson({ items });
  for (const item of items) await print(describe(item, files.length > 1).join("\n"));
}

function describe({ file, labels }: ClassifiedFile, isNamed: boolean): readonly string[] {
  const longest = labels.reduce((most, { label }) => Math.max(most, [...label].length), 0);
  const columns = Math.min(32, longest);
  const rows = labels.map(({ label, probability }) => {
    const percent = `${(100 * probability).toFixed(1)}%`.padStart(6);
    return `${column(label, columns)} ${percent} ${bar(probability)}`.trimEnd();
  });
  return isNamed ? [`${file.replace(/\p{Cc}/gu, " ")}:`, ...rows.map((row) => `  ${row}`)] : rows;
}
