import { spawn } from "node:child_process";
import { throwIfAborted } from "./native.js";

export interface ProcessResult {
  /** Exit code; null when the program could not be started or was killed. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ProcessOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Run a program to its end and collect what it prints; a program that is not there has code null.
 *
 * Errors: `E_ABORTED`.
 */
export async function runProcess(
  program: string,
  args: readonly string[],
  options: ProcessOptions,
): Promise<ProcessResult> {
  throwIfAborted(options.signal);
  const result = await new Promise<ProcessResult>((settle) => {
    const child = spawn(program, args, {
      env: { ...options.env },
      stdio: ["ignore", "pipe", "pipe"],
      ...(options.signal && { signal: options.signal }),
    });
    const output = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const) {
      child[name].setEncoding("utf8").on("data", (text: string) => (output[name] += text));
    }
    child.on("error", () => settle({ code: null, ...output }));
    child.on("close", (code) => settle({ code, ...output }));
  });
  throwIfAborted(options.signal);
  return result;
}
