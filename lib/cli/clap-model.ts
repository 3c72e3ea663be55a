import { Option } from "commander";
import type { Command } from "commander";
import type { AudioInput } from "../audio/index.js";
import type { Clap } from "../clap/clap.js";
import type { AudioWindows, ClapLoadOptions, EmbedAudioOptions } from "../clap/types.js";
import type { CallOptions } from "../runtime/abort.js";
import { setThreads } from "../runtime/native.js";
import { addMachine } from "./machine.js";
import { parseCount, parseInteger, parseNumber } from "./parse.js";

/** Options of every verb that opens a CLAP. */
export interface ClapFlags {
  readonly device?: string;
  readonly dtype?: NonNullable<ClapLoadOptions["dtype"]>;
  readonly packing?: NonNullable<ClapLoadOptions["packing"]>;
  readonly threads?: number;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** Options of every verb that listens to files. */
export interface ListenFlags {
  readonly windows?: AudioWindows;
  readonly window?: number;
  readonly hop?: number;
  readonly seed?: number;
  readonly channel?: number;
  readonly batchSize?: number;
}

/** Declare how long files are heard. */
export function addListening(command: Command): void {
  command
    .optionsGroup("Listening:")
    .addOption(
      new Option("--windows <kind>", "how files beyond 10 s are heard (default: fixed)").choices([
        "fixed",
        "fusion",
        "random",
      ]),
    )
    .option("--window <seconds>", "length of a fixed window (default: the model's)", parseNumber)
    .option("--hop <seconds>", "from one fixed window to the next (default: half)", parseNumber)
    .option("--seed <n>", "seed of random windows", parseInteger)
    .option("--channel <n>", "listen to this channel, from 0 (default: the mean)", parseInteger)
    .option("--batch-size <n>", "windows that are embedded together (default: 8)", parseCount);
}

/** Declare where a model computes, and what is printed. */
export function addClapMachine(command: Command): void {
  command
    .optionsGroup("Output:")
    .option("--json", "print one JSON document on standard output")
    .option("-q, --quiet", "print nothing but errors and results")
    .option("--verbose", "print stack traces");
  addMachine(command).option("--threads <n>", "threads that one operation may use", parseCount);
}

/** Open the model that a command line names. */
export async function openClap(
  folder: string,
  { device, dtype, packing, threads }: ClapFlags,
  call: CallOptions,
): Promise<Clap> {
  const { Clap } = await import("../clap/clap.js");
  if (threads !== undefined) setThreads(threads);
  return Clap.fromPretrained(folder, {
    ...call,
    ...(device && { device }),
    ...(dtype && { dtype }),
    ...(packing && { packing }),
  });
}

/** What `embedAudio` is asked for. */
export function listening(flags: ListenFlags, call: CallOptions): Omit<EmbedAudioOptions, "pool"> {
  const { windows, window, hop, seed, channel, batchSize } = flags;
  return {
    ...call,
    windows,
    windowSeconds: window,
    hopSeconds: hop,
    seed,
    channels: channel,
    batchSize,
  };
}

/** A file name as input; `-` is standard input. */
export function inputOf(file: string): AudioInput {
  return file === "-" ? process.stdin : file;
}
