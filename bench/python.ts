import { spawn } from "node:child_process";
import type { ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";

const folder = dirname(fileURLToPath(import.meta.url));

/** A script of this folder that answers requests, one JSON document in a line each. */
export class PythonProcess {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #replies: AsyncIterator<string, undefined>;

  private constructor(python: string, script: string) {
    // The profiler of PyTorch reports its own doings at levels below.
    const env = { ...process.env, KINETO_LOG_LEVEL: "99" };
    this.#child = spawn(python, [join(folder, script)], {
      stdio: ["pipe", "pipe", "inherit"],
      env,
    });
    this.#child.stdin.on("error", () => undefined);
    this.#replies = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  static async start(python: string, script: string): Promise<PythonProcess> {
    const started = new PythonProcess(python, script);
    await once(started.#child, "spawn");
    return started;
  }

  /** Do one thing; the process waits before and after. */
  async ask<T>(action: string, request: object): Promise<T> {
    this.#child.stdin.write(`${JSON.stringify({ do: action, ...request })}\n`);
    const { value, done } = await this.#replies.next();
    if (done === true) throw new Error(`Expected a reply to ${action} but the reference ended`);
    const reply = JSON.parse(value) as T & { readonly error?: string };
    if (reply.error === undefined) return reply;
    throw new Error(`The reference failed in ${action}: ${reply.error}`);
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.stdin.end();
    await once(this.#child, "exit");
  }
}
