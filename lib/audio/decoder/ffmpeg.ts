import { FFmpegFile } from "./ffmpeg-file.js";
import type { FFmpeg } from "./ffmpeg-library.js";
import { checkFraming, FileBytes } from "./framing.js";
import type { AudioProbe, NamedFile, OpenedAudio } from "./protocol.js";
import { RangeReader } from "./range-reader.js";
import type { Jump } from "./range-reader.js";

/** Open a file with FFmpeg. @throws E_AUDIO */
export function openWithFFmpeg(ffmpeg: FFmpeg, file: NamedFile): OpenedAudio {
  let opened: FFmpegFile | undefined = openChecked(ffmpeg, file);
  const info = describe(opened, file);
  let isFresh = true;
  const reopen = (): FFmpegFile => {
    if (opened && isFresh) return opened;
    opened?.close();
    return (opened = FFmpegFile.open(ffmpeg, file));
  };
  return {
    info,
    *read(start, end) {
      if (start === 0 && end === Infinity) checkFraming(file);
      for (const jump of [jumpOf(info), "none"] as const) {
        const reader = new RangeReader(reopen(), file, info.container);
        isFresh = false;
        yield* reader.read(start, end, jump);
        if (!reader.hasMissed) return;
      }
    },
    close: () => opened?.close(),
  };
}

/** Open a file; where that fails, its layout may tell more of the reason than FFmpeg does. */
function openChecked(ffmpeg: FFmpeg, file: NamedFile): FFmpegFile {
  try {
    return FFmpegFile.open(ffmpeg, file);
  } catch (error) {
    checkFraming(file);
    throw error;
  }
}

function jumpOf({ container, codec }: AudioProbe): Jump {
  if (["flac", "ogg", "mp4"].includes(container)) return "seek";
  if (["wav", "w64", "aiff", "caf"].includes(container) && codec.startsWith("pcm_")) return "seek";
  const isCounted = container === "mp3" || container === "aac" || codec === "opus";
  return isCounted ? "count" : "none";
}

function describe(opened: FFmpegFile, file: NamedFile): AudioProbe {
  const { format, stream, codecName, sampleRate, channelCount } = opened;
  const { num, den } = stream.timeBase;
  const ofStream = (Number(stream.duration) * num) / den;
  const seconds = ofStream > 0 ? ofStream : Number(format.duration) / 1e6;
  const all = { ...format.metadata?.getAll(), ...stream.metadata?.getAll() };
  const tags = Object.entries(all).map(([name, value]) => [name.toLowerCase(), value]);
  return {
    container: containerOf(format.iformat?.name ?? "unknown", file),
    codec: codecName,
    sampleRate,
    channelCount,
    seconds: seconds > 0 ? seconds : null,
    tags: Object.fromEntries(tags) as Record<string, string>,
  };
}

function containerOf(demuxer: string, { path }: NamedFile): string {
  if (demuxer.startsWith("mov,mp4")) return "mp4";
  if (demuxer !== "matroska,webm") return demuxer;
  using bytes = new FileBytes(path);
  return bytes.read(0, 64).includes("webm") ? "webm" : "matroska";
}
