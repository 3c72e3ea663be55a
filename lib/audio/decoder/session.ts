import type { DecoderClient } from "./client.js";
import { giveDecoder, takeDecoder } from "./pool.js";
import type { AudioProbe, DecoderReply, NamedFile, SampleRange } from "./protocol.js";

/** A file that is open in a decoder process. */
export class DecodingSession implements AsyncDisposable {
  readonly info: AudioProbe;
  readonly #client: DecoderClient;
  readonly #signal: AbortSignal | undefined;
  #ahead: Promise<DecoderReply> | undefined;

  private constructor(client: DecoderClient, info: AudioProbe, signal: AbortSignal | undefined) {
    this.#client = client;
    this.info = info;
    this.#signal = signal;
  }

  /** Open a file and read its headers. @throws E_AUDIO, E_ABORTED */
  static async open(file: NamedFile, signal?: AbortSignal): Promise<DecodingSession> {
    const client = takeDecoder(file.name);
    try {
      const reply = await client.request({ kind: "open", file }, signal);
      if (reply.kind === "opened") return new DecodingSession(client, reply.info, signal);
      throw new Error(`unexpected reply ${reply.kind}`);
    } catch (error) {
      giveDecoder(client);
      throw error;
    }
  }

  /** Decode a range, piece by piece; the next piece is decoded while one is used. */
  async *read(range: SampleRange): AsyncGenerator<readonly Float32Array[]> {
    await this.#client.request({ kind: "read", range }, this.#signal);
    for (this.#askAhead(); ;) {
      const reply = await this.#ahead;
      if (reply?.kind !== "chunk" || reply.channels.length === 0) break;
      this.#askAhead();
      yield reply.channels;
    }
    this.#ahead = undefined;
  }

  #askAhead(): void {
    this.#ahead = this.#client.request({ kind: "next" }, this.#signal);
    this.#ahead.catch(() => undefined); // who awaits it hears of it
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#ahead?.catch(() => undefined);
    await this.#client.request({ kind: "close" }).catch(() => undefined);
    giveDecoder(this.#client);
  }
}
