import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import { MusicLDMError } from "../../runtime/errors.js";
import { damage } from "../fault.js";
import type { DecoderReply, DecoderRequest } from "./protocol.js";

/** A process that is silent for so long hangs. */
const stallMilliseconds = 60_000;

const isSource = import.meta.url.endsWith(".ts");
const program = fileURLToPath(new URL(isSource ? "./main.ts" : "./main.js", import.meta.url));

interface Waiting {
  readonly resolve: (reply: DecoderReply) => void;
  readonly reject: (error: Error) => void;
}

/**
 * A process that decodes: damaged files that crash or hang a decoder end it and nothing else, and
 * the JavaScript thread only receives samples.
 */
export class DecoderClient {
  readonly #child: ChildProcess;
  #waiting: Waiting | undefined;
  #isAlive = true;
  /** What the file at hand is called. */
  name = "audio";

  constructor() {
    this.#child = fork(program, {
      serialization: "advanced",
      stdio: ["ignore", "ignore", "ignore", "ipc"],
      execArgv: isSource ? ["--import", "tsx"] : [],
      env: { ...process.env, ELECTRON_RUN_AS_NODE: "1" },
    });
    this.#child.on("message", (reply: DecoderReply) => this.#settle()?.resolve(reply));
    this.#child.on("error", (error) => this.#lose(error.message));
    this.#child.on("exit", (code, signal) => this.#lose(`ended with ${signal ?? `code ${code}`}`));
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  /** Send one request and wait for its reply. @throws E_AUDIO, E_ARGUMENT, E_ABORTED */
  async request(message: DecoderRequest, signal?: AbortSignal): Promise<DecoderReply> {
    const stall = setTimeout(() => this.#lose("does not answer"), stallMilliseconds).unref();
    const abort = (): void => {
      this.kill(); // it is at work, and nobody waits for its reply
      this.#settle()?.reject(aborted(signal));
    };
    signal?.addEventListener("abort", abort, { once: true });
    try {
      const reply = await new Promise<DecoderReply>((resolve, reject) => {
        this.#waiting = { resolve, reject };
        if (!this.#isAlive) return this.#lose("has ended");
        if (signal?.aborted) return abort();
        this.#child.send(message, (error) => error && this.#lose(error.message));
      });
      if (reply.kind !== "error") return reply;
      throw new MusicLDMError(reply.code, reply.message, reply.details);
    } finally {
      clearTimeout(stall);
      signal?.removeEventListener("abort", abort);
    }
  }

  #settle(): Waiting | undefined {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    return waiting;
  }

  #lose(what: string): void {
    this.kill();
    this.#settle()?.reject(damage(this.name, `its decoder ${what}`));
  }

  /** Whether the process keeps this one alive. */
  hold(isHeld: boolean): void {
    if (isHeld) {
      this.#child.ref();
      this.#child.channel?.ref();
    } else {
      this.#child.unref();
      this.#child.channel?.unref();
    }
  }

  kill(): void {
    this.#isAlive = false;
    this.#child.kill("SIGKILL");
  }
}

function aborted(signal: AbortSignal | undefined): MusicLDMError {
  return new MusicLDMError("E_ABORTED", "The call was aborted", { cause: signal?.reason });
}
