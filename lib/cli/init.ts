import { Option } from "commander";
import type { Command } from "commander";
import type { InitClapResult } from "../clap/init.js";
import { clapPresetNames } from "../clap/presets.js";
import type { ClapPresetName } from "../clap/presets.js";
import type { InitOptions, InitResult } from "../musicldm/init.js";
import { presetNames } from "../musicldm/presets.js";
import type { PresetName } from "../musicldm/presets.js";
import { parseInteger } from "./parse.js";
import { createProgress } from "./progress.js";
import { print, printJson } from "./session.js";
import type { Session } from "./session.js";

const clapPrefix = "clap-";
const names = [...presetNames, ...clapPresetNames.map((name) => clapPrefix + name)];

interface InitFlags {
  readonly preset: string;
  readonly seed: number;
  readonly force?: boolean;
  readonly quiet?: boolean;
  readonly json?: boolean;
}

const notes = `
Such a model makes noise, whatever the prompt: its weights are random. It is there so that every
part can be tried without a download.

Presets: debug (below 1 million weights), musicldm (1.9 GB) and audioldm-s (0.8 GB), which have the
sizes of the published models; and CLAP alone: clap-debug, clap-htsat-tiny (0.6 GB) and
clap-htsat-base (0.8 GB), each with -fused behind it for the variant that merges crops.

Examples:
  $ musicldm init --preset debug ./model
  $ musicldm init --preset musicldm ./full --seed 7
  $ musicldm init --preset clap-debug ./clap`;

/** Declare `init`. */
export function addInit(program: Command, session: Session): void {
  program
    .command("init")
    .summary("write a randomly initialised model folder")
    .description("Write a model folder with random weights, tokenizer included. It makes noise.")
    .argument("<folder>", "where to write")
    .addOption(new Option("--preset <name>", "architecture").choices(names).default("debug"))
    .option("--seed <n>", "seed of the weights", parseInteger, 0)
    .option("--force", "replace the model files of a folder that is not empty")
    .option("--json", "print one JSON document")
    .option("-q, --quiet", "print nothing but errors")
    .option("--verbose", "print stack traces")
    .addHelpText("after", notes)
    .action((folder: string, flags: InitFlags) => runInit(folder, flags, session));
}

async function runInit(folder: string, flags: InitFlags, session: Session): Promise<void> {
  const { preset, seed, force, quiet = false } = flags;
  const progress = await createProgress(quiet);
  const options = { folder, seed, force, onProgress: progress.report, signal: session.signal };
  const result = await init(preset, options).finally(progress.stop);
  if (flags.json) return printJson(result);
  if (quiet) return;
  const size = `${result.elements.toLocaleString("en")} weights`;
  await print(`Wrote ${preset} with seed ${seed} (${size}) to ${result.folder}`);
  await print(result.notice);
}

/** Write the model that a name stands for; commander has made sure that there is one. */
async function init(
  name: string,
  options: Omit<InitOptions, "preset">,
): Promise<InitResult | InitClapResult> {
  if (name.startsWith(clapPrefix)) {
    const { initClap } = await import("../clap/init.js");
    const preset = name.slice(clapPrefix.length) as ClapPresetName;
    return initClap({ ...options, preset });
  }
  const { initPretrained } = await import("../musicldm/init.js");
  return initPretrained({ ...options, preset: name as PresetName });
}
