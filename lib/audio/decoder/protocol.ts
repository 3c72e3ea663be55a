import type { ErrorCode, ErrorDetails } from "../../runtime/errors.js";

/** What is known about audio before its samples are decoded. */
export interface AudioProbe {
  /** `"wav"`, `"flac"`, `"mp3"`, `"ogg"`, `"webm"`, `"mp4"`, `"aac"` (ADTS), … */
  readonly container: string;
  /** `"pcm_s16le"`, `"flac"`, `"mp3"`, `"vorbis"`, `"opus"`, `"aac"`, … */
  readonly codec: string;
  readonly sampleRate: number;
  readonly channelCount: number;
  /** Length by the headers, or by its size for formats that do not state it; null if unknown. */
  readonly seconds: number | null;
  /** Names in lower case: `title`, `artist`, `album`, `date`, `comment`, … */
  readonly tags: Readonly<Record<string, string>>;
}

/** Which channels are wanted: their mean, all of them, or one alone. */
export type ChannelChoice = "mono" | "all" | number;

/** Samples from `start` up to `end`, at the rate of the file. */
export interface SampleRange {
  readonly start: number;
  /** Infinity for all that follow. */
  readonly end: number;
  readonly channels: ChannelChoice;
}

/** A file to decode, and what error messages call it. */
export interface NamedFile {
  readonly path: string;
  readonly name: string;
}

/** What the decoder process is asked; each request has one reply. */
export type DecoderRequest =
  | { readonly kind: "open"; readonly file: NamedFile }
  | { readonly kind: "read"; readonly range: SampleRange }
  | { readonly kind: "next" }
  | { readonly kind: "close" };

export type DecoderReply =
  | { readonly kind: "opened"; readonly info: AudioProbe }
  /** No channels at the end. */
  | { readonly kind: "chunk"; readonly channels: readonly Float32Array[] }
  | { readonly kind: "done" }
  | {
      readonly kind: "error";
      readonly code: ErrorCode;
      readonly message: string;
      readonly details: ErrorDetails;
    };

/** Samples of every channel, a few thousand at a time. */
export type SamplePieces =
  Iterable<readonly Float32Array[]> | AsyncIterable<readonly Float32Array[]>;

/** An open file inside the decoder process. */
export interface OpenedAudio {
  readonly info: AudioProbe;
  /** Decode every channel from sample `start` on, or up to `end`, piece by piece. */
  read(start: number, end: number): SamplePieces;
  close(): void;
}
