import { spawn } from "node:child_process";
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";

export interface CliResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Start the command line from its sources. */
export function startCli(...args: readonly string[]): ChildProcessWithoutNullStreams {
  return spawn(process.execPath, ["--import", "tsx", "lib/cli/main.ts", ...args]);
}

/** Collect what a started command line says, until it ends. */
export async function endOf(child: ChildProcessWithoutNullStreams): Promise<CliResult> {
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
  const [code, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
  return { code, signal, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString() };
}

/** Run the command line to its end, with `input` on its standard input. */
export async function cli(
  args: readonly string[],
  input: string | Buffer = "",
): Promise<CliResult> {
  const child = startCli(...args);
  child.stdin.on("error", () => undefined);
  child.stdin.end(input);
  return endOf(child);
}
