import { Option } from "commander";
import type { Command } from "commander";
import { presetNames } from "../musicldm/presets.js";
import type { PresetName } from "../musicldm/presets.js";
import { parseInteger } from "./parse.js";
import { createProgress } from "./progress.js";
import { print, printJson } from "./session.js";
import type { Session } from "./session.js";

interface InitFlags {
  readonly preset: PresetName;
  readonly seed: number;
  readonly force?: boolean;
  readonly quiet?: boolean;
  readonly json?: boolean;
}

const notes = `
Such a model makes noise, whatever the prompt: its weights are random. It is there so that every
part can be tried without a download.

Presets: debug (below 1 million weights), musicldm (1.9 GB) and audioldm-s (0.8 GB), which have the
sizes of the published models.

Examples:
  $ musicldm init --preset debug ./model
  $ musicldm init --preset musicldm ./full --seed 7`;

/** Declare `init`. */
export function addInit(program: Command, session: Session): void {
  program
    .command("init")
    .summary("write a randomly initialised model folder")
    .description("Write a model folder with random weights, tokenizer included. It makes noise.")
    .argument("<folder>", "where to write")
    .addOption(new Option("--preset <name>", "architecture").choices(presetNames).default("debug"))
    .option("--seed <n>", "seed of the weights", parseInteger, 0)
    .option("--force", "replace the model files of a folder that is not empty")
    .option("--json", "print one JSON document")
    .option("-q, --quiet", "print nothing but errors")
    .option("--verbose", "print stack traces")
    .addHelpText("after", notes)
    .action((folder: string, flags: InitFlags) => runInit(folder, flags, session));
}

async function runInit(folder: string, flags: InitFlags, session: Session): Promise<void> {
  const { initPretrained } = await import("../musicldm/init.js");
  const { preset, seed, force, quiet = false } = flags;
  const progress = await createProgress(quiet);
  const result = await initPretrained({
    preset,
    folder,
    seed,
    force,
    onProgress: progress.report,
    signal: session.signal,
  }).finally(progress.stop);
  if (flags.json) return printJson(result);
  if (quiet) return;
  const size = `${result.elements.toLocaleString("en")} weights`;
  await print(`Wrote ${preset} with seed ${seed} (${size}) to ${result.folder}`);
  await print(result.notice);
}
