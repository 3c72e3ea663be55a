import { spawn } from "node:child_process";
import { once } from "node:events";

export interface ChildResult {
  readonly code: number | null;
  /** Set when the process crashed or was killed. */
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Run TypeScript in a process of its own at the root of the repository, to its end. */
export async function runChild(
  script: string,
  nodeOptions: readonly string[] = [],
): Promise<ChildResult> {
  const args = [...nodeOptions, "--import", "tsx", "--input-type=module", "--eval", script];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  const [code, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
  return { code, signal, stdout, stderr };
}
