import { createHash } from "node:crypto";
import type { Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, rename, rm, stat } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { throwIfAborted } from "./native.js";
import { setupError } from "./pip.js";

export interface DownloadOptions {
  /** Lower-case hexadecimal; null skips the comparison. */
  readonly sha256: string | null;
  readonly signal?: AbortSignal | undefined;
  /** Called about once per MiB; `total` is 0 while unknown. */
  readonly onBytes?: ((done: number, total: number) => void) | undefined;
}

const attempts = 3;
const reportBytes = 1 << 20;

/** A failure of the network, as against one of the disk or of the caller. */
class NetworkError extends Error {}

/**
 * Download a file over HTTP, going on where an earlier attempt stopped, and verify its SHA-256.
 *
 * The unfinished file is `<path>.part`; it stays when the download fails or is aborted.
 * Errors: `E_SETUP` (network, hash), `E_ABORTED`; errors of the file system as Node throws them.
 */
export async function download(url: string, path: string, options: DownloadOptions): Promise<void> {
  const part = `${path}.part`;
  await mkdir(dirname(path), { recursive: true });
  const resumed = await fileSize(part);
  let digest = await fetchWithRetries(url, part, options);
  if (options.sha256 !== null && digest !== options.sha256 && resumed > 0) {
    await rm(part, { force: true });
    digest = await fetchWithRetries(url, part, options);
  }
  if (options.sha256 !== null && digest !== options.sha256) {
    await rm(part, { force: true });
    throw setupError(`the download has SHA-256 ${digest}, not ${options.sha256}`);
  }
  await rename(part, path);
}

async function fetchWithRetries(
  url: string,
  part: string,
  options: DownloadOptions,
): Promise<string> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await fetchRest(url, part, options);
    } catch (error) {
      throwIfAborted(options.signal);
      if (!(error instanceof NetworkError)) throw error;
      if (attempt === attempts) {
        throw setupError(`the download failed ${attempts} times: ${error.message}`, error.cause);
      }
      await sleep(500 * attempt);
    }
  }
}

/** Fetch what is missing of a file; returns the SHA-256 of the whole. */
async function fetchRest(url: string, part: string, options: DownloadOptions): Promise<string> {
  const hash = createHash("sha256");
  const present = await hashFile(part, hash);
  const response = await request(url, present, options.signal);
  const length = Number(response.headers.get("content-length") ?? 0);
  if (response.status === 416)
    return finishOrRestart(url, part, { response, present, hash, options });
  if (response.status !== 200 && response.status !== 206) {
    throw new NetworkError(`the server answers with status ${response.status}`);
  }
  const goesOn = response.status === 206 && startOfRange(response) === present;
  if (response.status === 206 && !goesOn) throw new NetworkError("the server sends another range");
  const start = goesOn ? present : 0;
  const file = await open(part, goesOn ? "a" : "w");
  const sink = { file, hash: goesOn ? hash : createHash("sha256"), start, total: start + length };
  try {
    return await drain(response, sink, options);
  } finally {
    await file.close();
  }
}

interface Restart {
  readonly response: Response;
  readonly present: number;
  readonly hash: Hash;
  readonly options: DownloadOptions;
}

/** The server has nothing after the part: it is complete, or it is not a part of this file. */
async function finishOrRestart(url: string, part: string, restart: Restart): Promise<string> {
  const { response, present, hash, options } = restart;
  await response.body?.cancel();
  if (response.headers.get("content-range")?.endsWith(`/${present}`)) return hash.digest("hex");
  if (present === 0) throw new NetworkError("the server answers with status 416");
  await rm(part, { force: true });
  return fetchRest(url, part, options);
}

async function request(
  url: string,
  present: number,
  signal: AbortSignal | undefined,
): Promise<Response> {
  try {
    return await fetch(url, {
      headers: {
        "accept-encoding": "identity",
        ...(present > 0 && { range: `bytes=${present}-` }),
      },
      ...(signal && { signal }),
    });
  } catch (cause) {
    throw new NetworkError("no connection", { cause });
  }
}

function startOfRange(response: Response): number {
  return Number(/^bytes (\d+)-/.exec(response.headers.get("content-range") ?? "")?.[1] ?? -1);
}

interface Sink {
  readonly file: FileHandle;
  readonly hash: Hash;
  readonly start: number;
  /** Bytes of the whole file; equal to `start` when the server does not tell. */
  readonly total: number;
}

async function drain(response: Response, sink: Sink, options: DownloadOptions): Promise<string> {
  const total = sink.total > sink.start ? sink.total : 0;
  let done = sink.start;
  let reported = -reportBytes;
  for await (const chunk of chunks(response)) {
    sink.hash.update(chunk);
    await sink.file.writeFile(chunk);
    done += chunk.byteLength;
    if (done - reported < reportBytes && done !== total) continue;
    options.onBytes?.(done, total);
    reported = done;
  }
  if (total > 0 && done !== total) throw new NetworkError(`${done} of ${total} bytes came`);
  return sink.hash.digest("hex");
}

async function* chunks(response: Response): AsyncGenerator<Uint8Array> {
  const reader = (response.body as ReadableStream<Uint8Array> | null)?.getReader();
  try {
    for (;;) {
      const next = await reader?.read();
      if (next?.value === undefined) return;
      yield next.value;
    }
  } catch (cause) {
    throw new NetworkError("the connection broke", { cause });
  } finally {
    await reader?.cancel().catch(() => undefined);
  }
}

/** Feed a file into a hash; returns its bytes, 0 when there is none. */
async function hashFile(path: string, hash: Hash): Promise<number> {
  const size = await fileSize(path);
  if (size === 0) return 0;
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return size;
}

/** The SHA-256 of a file in lower-case hexadecimal. */
export async function sha256OfFile(path: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) {
    throwIfAborted(signal);
    hash.update(chunk as Buffer);
  }
  return hash.digest("hex");
}

async function fileSize(path: string): Promise<number> {
  return (await stat(path).catch(() => null))?.size ?? 0;
}
