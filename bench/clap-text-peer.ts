import { spawn } from "node:child_process";
import type { ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { readSafetensors } from "../lib/checkpoint/index.js";
import type { Timing } from "./stages.js";

const script = join(dirname(fileURLToPath(import.meta.url)), "clap_text.py");

export interface ClapTextPeerOptions {
  /** The interpreter, which has torch and transformers. */
  readonly python: string;
  /** `config.json`, `model.safetensors` and the tokenizer. */
  readonly folder: string;
  readonly threads: number;
  readonly texts: readonly string[];
}

/** transformers' ClapTextModelWithProjection in PyTorch eager, in a process of its own. */
export class ClapTextPeer implements AsyncDisposable {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #replies: AsyncIterator<string, undefined>;
  readonly #folder: string;

  private constructor(python: string, folder: string) {
    this.#child = spawn(python, [script], { stdio: ["pipe", "pipe", "inherit"] });
    this.#child.stdin.on("error", () => undefined);
    this.#replies = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
    this.#folder = folder;
  }

  static async open({ python, folder, ...rest }: ClapTextPeerOptions): Promise<ClapTextPeer> {
    const peer = new ClapTextPeer(python, folder);
    await once(peer.#child, "spawn");
    await peer.#ask({ do: "load", folder, ...rest });
    return peer;
  }

  /** Embed all texts once. */
  async time(): Promise<Timing> {
    return this.#ask({ do: "embed" });
  }

  /** The last embeddings, unit norm, row after row. */
  async embeddings(): Promise<Float32Array> {
    const path = join(this.#folder, "peer.safetensors");
    await this.#ask({ do: "output", path });
    using content = await readSafetensors(path);
    const { output } = content.tensors;
    if (!output) throw new Error(`Expected the tensor output in ${path}`);
    return await output.floats();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.stdin.end();
    await once(this.#child, "exit");
  }

  async #ask(request: object): Promise<Timing> {
    this.#child.stdin.write(`${JSON.stringify(request)}\n`);
    const { value, done } = await this.#replies.next();
    if (done === true) throw new Error("Expected a reply but transformers ended");
    return JSON.parse(value) as Timing;
  }
}
