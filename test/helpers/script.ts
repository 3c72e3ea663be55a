import { spawn } from "node:child_process";

/** Run TypeScript in a process of its own at the root of the repository; parse what it prints. */
export async function runScript<T>(
  script: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<T> {
  const args = ["--import", "tsx", "--input-type=module", "--eval", script];
  const child = spawn(process.execPath, args, { env: { ...env } });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  const code = await new Promise<number | null>((settle) => child.on("close", settle));
  if (code !== 0) throw new Error(`The script ended with ${code}: ${stderr}`);
  return JSON.parse(stdout) as T;
}
