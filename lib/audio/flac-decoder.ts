import { Worker } from "node:worker_threads";

export interface DecodedFrames {
  /** One array per channel; full scale is 2^(bits-1) - 1. */
  readonly channelData: readonly Float32Array[];
  readonly samplesDecoded: number;
  readonly errors: readonly { readonly message: string }[];
}

/**
 * The decoder reports damage on the console as well as in its result, so it runs where its
 * standard error leads nowhere. Source as text, because compiled and uncompiled trees differ in
 * file names.
 */
const workerSource = `
  const { parentPort, workerData } = require("node:worker_threads");
  import(workerData.module).then(async ({ FLACDecoder }) => {
    const decoder = new FLACDecoder();
    await decoder.ready;
    const { channelData, samplesDecoded, errors } = await decoder.decodeFrames(workerData.frames);
    parentPort.postMessage({ channelData, samplesDecoded, errors });
  });
`;

/** Decode FLAC frames in a worker thread. Rejects when the decoder itself fails. */
export async function decodeFrames(frames: readonly Uint8Array[]): Promise<DecodedFrames> {
  const module = import.meta.resolve("@wasm-audio-decoders/flac");
  const worker = new Worker(workerSource, {
    eval: true,
    workerData: { module, frames },
    stdout: true,
    stderr: true,
    execArgv: [],
  });
  try {
    return await new Promise<DecodedFrames>((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", reject);
      worker.once("exit", (code) => reject(new Error(`the decoder ended with code ${code}`)));
    });
  } finally {
    await worker.terminate();
  }
}
