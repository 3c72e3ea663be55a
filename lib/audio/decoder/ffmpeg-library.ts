import type * as Constants from "node-av/constants";
import type * as Library from "node-av/lib";

/** The FFmpeg binding, an optional peer dependency. */
export type FFmpeg = typeof Library & typeof Constants;

let library: Promise<FFmpeg | undefined> | undefined;

/**
 * Load the FFmpeg binding where it is installed; undefined otherwise, and where
 * `MUSICLDM_AUDIO_DECODER=plain` forbids it.
 */
export async function loadFFmpeg(): Promise<FFmpeg | undefined> {
  library ??= process.env["MUSICLDM_AUDIO_DECODER"] === "plain" ? noLibrary() : importLibrary();
  return library;
}

async function noLibrary(): Promise<undefined> {
  return undefined;
}

async function importLibrary(): Promise<FFmpeg | undefined> {
  try {
    const [lib, constants] = await Promise.all([
      import("node-av/lib"),
      import("node-av/constants"),
    ]);
    lib.Log.setLevel(constants.AV_LOG_QUIET);
    return { ...lib, ...constants };
  } catch {
    return undefined;
  }
}
