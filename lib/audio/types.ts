/** Samples of a clip. */
export interface AudioClip {
  /** One array of samples in ±1 per channel, all of one length. */
  readonly channels: readonly Float32Array[];
  /** Samples per second and channel. */
  readonly sampleRate: number;
}

export type AudioFormat = "wav" | "wav-float" | "flac";

/** What a file says about itself. */
export interface AudioMetadata {
  /** The prompt, for a generated clip. */
  readonly title?: string | undefined;
  /** The program that wrote the file, with its version. */
  readonly software?: string | undefined;
  /** Day of writing, `YYYY-MM-DD`. */
  readonly date?: string | undefined;
  /** Everything needed to generate the clip again; travels as JSON. */
  readonly settings?: Readonly<Record<string, unknown>> | undefined;
}

/** What is known about an audio file before its samples are decoded. */
export interface AudioFileInfo {
  readonly format: AudioFormat;
  readonly sampleRate: number;
  readonly channelCount: number;
  readonly bitDepth: number;
  /** Samples per channel. */
  readonly sampleCount: number;
  readonly seconds: number;
  readonly metadata: AudioMetadata;
}
