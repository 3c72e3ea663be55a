import { Command, InvalidArgumentError, Option } from "commander";
import { parseCount, parseNumber } from "../lib/cli/parse.js";
import { presetNames } from "../lib/musicldm/presets.js";
import type { PresetName } from "../lib/musicldm/presets.js";
import { packings } from "../lib/nn/module.js";
import type { Packing } from "../lib/nn/module.js";
import { peerNames } from "./peers.js";
import type { PeerName } from "./peers.js";
import { sectionNames } from "./stages.js";
import type { SectionName } from "./stages.js";

/** What the command line asks for. */
export interface Flags {
  readonly model?: string;
  readonly preset: PresetName;
  readonly seconds: number;
  readonly steps: number;
  readonly rounds: number;
  readonly threads?: number;
  readonly stages: readonly SectionName[];
  readonly packing: Packing;
  readonly memory: boolean;
  readonly reference?: boolean;
  readonly peers: readonly PeerName[];
  readonly scaling: boolean;
  readonly fullDefault?: boolean;
  readonly profile?: boolean;
  readonly python: string;
  readonly json?: boolean;
}

/** Parse a list of names with commas between. */
function parseList<T extends string>(known: readonly T[]): (text: string) => readonly T[] {
  return (text) =>
    text.split(",").map((given) => {
      const name = known.find((candidate) => candidate === given);
      if (name) return name;
      throw new InvalidArgumentError(`Expected some of ${known.join(",")} but received ${given}`);
    });
}

/** The command line of `npm run bench`. */
const program = new Command("bench")
  .description("Time the stages of a generation, and measure its memory.")
  .option("--model <folder>", "model folder; default: random weights, made once in the cache")
  .addOption(new Option("--preset <name>", "size of it").choices(presetNames).default("musicldm"))
  .option("--seconds <s>", "length of the clip", parseNumber, 10.24)
  .option("--steps <n>", "solver steps of a whole generation", parseCount, 20)
  .option("--rounds <n>", "measurements of each stage", parseCount, 5)
  .option("--threads <n>", "threads of all sides; default: libtorch's choice", parseCount)
  .option(
    "--stages <list>",
    "which stages, with commas between",
    parseList(sectionNames),
    sectionNames,
  )
  .addOption(new Option("--packing <kind>", "of our weights").choices(packings).default("fast"))
  .option("--no-memory", "leave out memory, opening time and event-loop delay")
  .option("--reference", "time the peers as well, in turn with ours")
  .option("--peers <list>", "which peers, with commas between", parseList(peerNames), peerNames)
  .option("--no-scaling", "leave out runs with one thread")
  .option("--full-default", "run the 200 steps of the Python pipeline; else they are estimated")
  .option("--profile", "print where the time goes, by kind of operator")
  .addOption(
    new Option("--python <path>", "interpreter that has diffusers")
      .env("MUSICLDM_PYTHON")
      .default("python3"),
  )
  .option("--json", "print one JSON document");

/** What a default generation of the peers is estimated from. */
const partsOfDefault = ["text", "unet", "vae", "vocoder"] as const;

/** Parse the process's arguments; ends the process, with a message, where they cannot be met. */
export function parseFlags(): Flags {
  const flags = program.parse().opts<Flags>();
  const { reference, stages, fullDefault } = flags;
  const isEstimated = stages.includes("default") && reference && !fullDefault;
  if (isEstimated && !partsOfDefault.every((part) => stages.includes(part))) {
    const parts = partsOfDefault.join(",");
    program.error(`error: --stages needs ${parts} beside default, or --full-default with it`);
  }
  return flags;
}
