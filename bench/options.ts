import { Command, InvalidArgumentError, Option } from "commander";
import { parseCount, parseNumber } from "../lib/cli/parse.js";
import { presetNames } from "../lib/musicldm/presets.js";
import type { PresetName } from "../lib/musicldm/presets.js";
import { stageNames } from "./stages.js";
import type { StageName } from "./stages.js";

/** What the command line asks for. */
export interface Flags {
  readonly model?: string;
  readonly preset: PresetName;
  readonly seconds: number;
  readonly steps: number;
  readonly rounds: number;
  readonly threads?: number;
  readonly stages: readonly StageName[];
  readonly memory: boolean;
  readonly reference?: boolean;
  readonly python: string;
  readonly json?: boolean;
}

function parseStages(text: string): readonly StageName[] {
  return text.split(",").map((name) => {
    const stage = stageNames.find((known) => known === name);
    if (stage) return stage;
    throw new InvalidArgumentError(`Expected some of ${stageNames.join(",")} but received ${name}`);
  });
}

/** The command line of `npm run bench`. */
export const program = new Command("bench")
  .description("Time the stages of a generation, and measure its memory.")
  .option("--model <folder>", "model folder; default: random weights, made once in the cache")
  .addOption(new Option("--preset <name>", "size of it").choices(presetNames).default("musicldm"))
  .option("--seconds <s>", "length of the clip", parseNumber, 10.24)
  .option("--steps <n>", "solver steps of a whole generation", parseCount, 20)
  .option("--rounds <n>", "measurements of each stage", parseCount, 5)
  .option("--threads <n>", "threads of both sides; default: libtorch's choice", parseCount)
  .option("--stages <list>", "which stages, with commas between", parseStages, stageNames)
  .option("--no-memory", "leave out memory, opening time and event-loop delay")
  .option("--reference", "time PyTorch eager as well, in turn with ours")
  .addOption(
    new Option("--python <path>", "interpreter that has diffusers")
      .env("MUSICLDM_PYTHON")
      .default("python3"),
  )
  .option("--json", "print one JSON document");
