import { readFile } from "node:fs/promises";
import { damage } from "../fault.js";
import { isFlac } from "../flac-header.js";
import { decodeFlac, inspectFlac } from "../flac.js";
import { isWave } from "../riff.js";
import type { AudioFileInfo } from "../types.js";
import { decodeWav, inspectWav } from "../wav.js";
import type { AudioProbe, NamedFile, OpenedAudio } from "./protocol.js";

const pieceSamples = 2 ** 16;

/** Decode WAV and FLAC files where FFmpeg is not installed: whole, in memory. @throws E_AUDIO */
export async function openPlain({ path, name }: NamedFile): Promise<OpenedAudio> {
  const bytes = await readFile(path);
  if (!isWave(bytes) && !isFlac(bytes)) {
    const advice = "other formats need FFmpeg: run `npm install node-av@6.1.1`";
    throw damage(name, `it is neither WAV nor FLAC, and ${advice}`);
  }
  const isWav = isWave(bytes);
  return {
    info: describe(isWav ? inspectWav(bytes, name) : inspectFlac(bytes, name)),
    async *read(from, to) {
      const { channels } = isWav ? decodeWav(bytes, name) : await decodeFlac(bytes, name);
      const last = Math.min(to, channels[0]?.length ?? 0);
      for (let at = from; at < last; at += pieceSamples) {
        const end = Math.min(at + pieceSamples, last);
        yield channels.map((channel) => channel.subarray(at, end));
      }
    },
    close: () => undefined,
  };
}

function describe(info: AudioFileInfo): AudioProbe {
  const { format, sampleRate, channelCount, bitDepth, seconds, metadata } = info;
  const isFlacFile = format === "flac";
  const integers = bitDepth === 8 ? "pcm_u8" : `pcm_s${bitDepth}le`;
  const { title, software, date, settings } = metadata;
  return {
    container: isFlacFile ? "flac" : "wav",
    codec: isFlacFile ? "flac" : format === "wav-float" ? `pcm_f${bitDepth}le` : integers,
    sampleRate,
    channelCount,
    seconds: isFlacFile && info.sampleCount === 0 ? null : seconds,
    tags: {
      ...(title !== undefined && { title }),
      ...(software !== undefined && { encoder: software }),
      ...(date !== undefined && { date }),
      ...(settings !== undefined && { comment: JSON.stringify(settings) }),
    },
  };
}
