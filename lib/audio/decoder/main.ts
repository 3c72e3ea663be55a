import { MusicLDMError, toMusicLDMError } from "../../runtime/errors.js";
import { checkChoice, choose, join } from "./mix.js";
import type { DecoderReply, DecoderRequest, NamedFile, OpenedAudio } from "./protocol.js";
import type { SampleRange } from "./protocol.js";

/** Samples of all channels in one reply. */
const pieceSamples = 2 ** 18;

let opened: OpenedAudio | undefined;
let pieces: AsyncIterator<readonly Float32Array[]> | undefined;

async function open(file: NamedFile): Promise<OpenedAudio> {
  const { loadFFmpeg } = await import("./ffmpeg-library.js");
  const ffmpeg = await loadFFmpeg();
  if (!ffmpeg) return (await import("./plain.js")).openPlain(file);
  return (await import("./ffmpeg.js")).openWithFFmpeg(ffmpeg, file);
}

/** Gather what a decoder yields, a few thousand samples at a time, into pieces worth sending. */
async function* gather(
  audio: OpenedAudio,
  range: SampleRange,
): AsyncGenerator<readonly Float32Array[]> {
  checkChoice(range.channels, audio.info.channelCount);
  let held: (readonly Float32Array[])[] = [];
  let samples = 0;
  let failure: { readonly error: unknown } | undefined;
  try {
    for await (const channels of audio.read(range.start, range.end)) {
      held.push(choose(channels, range.channels));
      samples += (channels[0]?.length ?? 0) * channels.length;
      if (samples < pieceSamples) continue;
      yield join(held);
      held = [];
      samples = 0;
    }
  } catch (error) {
    failure = { error }; // what came before the damage is delivered first
  }
  if (samples > 0) yield join(held);
  if (failure) throw failure.error;
}

async function close(): Promise<void> {
  await pieces?.return?.();
  opened?.close();
  opened = pieces = undefined;
}

async function answer(request: DecoderRequest): Promise<DecoderReply> {
  switch (request.kind) {
    case "open":
      await close();
      opened = await open(request.file);
      return { kind: "opened", info: opened.info };
    case "read":
      pieces = opened && gather(opened, request.range);
      return { kind: "done" };
    case "next": {
      const next = await pieces?.next();
      return { kind: "chunk", channels: next?.done === false ? next.value : [] };
    }
    case "close":
      await close();
      return { kind: "done" };
  }
}

function failure(error: unknown): DecoderReply {
  const known = error instanceof MusicLDMError ? error : toMusicLDMError(error);
  return { kind: "error", code: known.code, message: known.message, details: known.details };
}

process.on("message", (request: DecoderRequest) => {
  void answer(request)
    .catch(failure)
    .then((reply) => process.send?.(reply));
});
process.once("disconnect", () => process.exit());
