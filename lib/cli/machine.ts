import { Option } from "commander";
import type { Command } from "commander";
import { parseDevice } from "./parse.js";

/** Declare where the weights of a model lie, and how. */
export function addMachine(command: Command): Command {
  return command
    .optionsGroup("Machine:")
    .option("--device <name>", "cpu, cuda or cuda:N (default: cpu)", parseDevice)
    .addOption(
      new Option("--dtype <type>", "arithmetic").choices(["float32", "float16", "bfloat16"]),
    )
    .addOption(
      new Option("--packing <kind>", "speed or memory: copies of the weights on a CPU").choices([
        "fast",
        "compact",
        "none",
      ]),
    );
}
