import { MusicLDMError } from "../runtime/errors.js";

/** Build the error of a file that cannot be read or written as audio. */
export function fault(path: string, reason: string, cause?: unknown): MusicLDMError {
  const message = `Expected a readable WAV or FLAC file for ${JSON.stringify(path)} but ${reason}`;
  return new MusicLDMError("E_AUDIO", message, { path, reason, ...(cause ? { cause } : {}) });
}

/** Where in a file something is: in its sound, and in its bytes. */
export interface AudioPlace {
  readonly seconds?: number | undefined;
  readonly byteOffset?: number | undefined;
}

/** Build the error of audio of any format that cannot be decoded. */
export function damage(name: string, reason: string, place: AudioPlace = {}): MusicLDMError {
  const { seconds, byteOffset } = place;
  const parts = [
    ...(seconds === undefined ? [] : [`${seconds.toFixed(3)} s`]),
    ...(byteOffset === undefined ? [] : [`byte ${byteOffset}`]),
  ];
  const where = parts.length === 0 ? "" : ` at ${parts.join(", ")}`;
  const message = `Expected readable audio for ${JSON.stringify(name)} but ${reason}${where}`;
  return new MusicLDMError("E_AUDIO", message, { path: name, reason, ...place });
}

/** Build the error of a clip that a format cannot hold. */
export function unwritable(path: string, what: string, received: string): MusicLDMError {
  const message = `Expected ${what} for ${JSON.stringify(path)} but received ${received}`;
  return new MusicLDMError("E_AUDIO", message, { path, received });
}
