import { CommanderError } from "commander";
import { toMusicLDMError } from "../runtime/errors.js";
import type { ErrorCode, MusicLDMError } from "../runtime/errors.js";

/** What the shell is told. */
export const exitCodes = {
  done: 0,
  failed: 1,
  usage: 2,
  interrupted: 130,
  closedPipe: 141,
  terminated: 143,
} as const;

/** A wrong command line that commander cannot see, such as options that exclude each other. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

const hints: Partial<Record<ErrorCode, string>> = {
  E_ADDON: "run `musicldm doctor` to see what is missing, then reinstall or build the package",
  E_AUDIO: "check that the file plays; convert it to WAV or FLAC if another program can read it",
  E_CHECKPOINT: "run `musicldm inspect PATH` to see what the files hold",
  E_CONFIG: "run `musicldm inspect PATH` to see the configuration",
  E_IO: "check that the path exists, that it may be accessed, and that the disk has space",
  E_LIBTORCH: "run `musicldm setup` to obtain libtorch",
  E_LIBTORCH_ABI: "run `musicldm setup` to obtain the libtorch that this build needs",
  E_NONFINITE:
    "check the samples of the audio; try `--dtype float32`, other steps, a lower guidance scale",
  E_NO_CUDA: "run `musicldm doctor` to see why, or use `--device cpu`",
  E_OUT_OF_MEMORY: "ask for fewer seconds, a smaller `--batch-size`, or `--dtype bfloat16`",
  E_SETUP: "run `musicldm doctor`, or point MUSICLDM_LIBTORCH at an unpacked libtorch",
};

export interface FailureOptions {
  readonly verbose: boolean;
  /** The signal that asked for the end, if one did. */
  readonly interrupt: "SIGINT" | "SIGTERM" | undefined;
}

/** Tell the user what went wrong and what to do next. Returns the exit code. */
export function reportFailure(error: unknown, options: FailureOptions): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : exitCodes.usage;
  if (error instanceof UsageError) return complain(error.message, "run with --help for usage");
  const failure = toMusicLDMError(error);
  if (options.verbose) process.stderr.write(`${stackOf(failure)}\n`);
  if (failure.code === "E_ABORTED") return reportInterrupt(options.interrupt);
  if (failure.code === "E_ARGUMENT") return complain(failure.message, "run with --help for usage");
  process.stderr.write(`error: ${failure.message} [${failure.code}]\n`);
  const { package: missing, hint: own } = failure.details;
  const usual = typeof missing === "string" ? `run npm install ${missing}` : hints[failure.code];
  const hint = typeof own === "string" ? own : usual;
  if (hint) process.stderr.write(`hint: ${hint}\n`);
  return exitCodes.failed;
}

function complain(message: string, hint: string): number {
  process.stderr.write(`error: ${message}\nhint: ${hint}\n`);
  return exitCodes.usage;
}

function reportInterrupt(signal: FailureOptions["interrupt"]): number {
  process.stderr.write("interrupted\n");
  return signal === "SIGTERM" ? exitCodes.terminated : exitCodes.interrupted;
}

function stackOf(error: MusicLDMError): string {
  const cause = error.cause instanceof Error ? `\ncaused by ${error.cause.stack}` : "";
  return `${error.stack}${cause}`;
}
