import { MusicLDMError } from "../runtime/errors.js";

/** Build the error of a file that cannot be read or written as audio. */
export function fault(path: string, reason: string, cause?: unknown): MusicLDMError {
  const message = `Expected a readable WAV or FLAC file for ${JSON.stringify(path)} but ${reason}`;
  return new MusicLDMError("E_AUDIO", message, { path, reason, ...(cause ? { cause } : {}) });
}

/** Build the error of a clip that a format cannot hold. */
export function unwritable(path: string, what: string, received: string): MusicLDMError {
  const message = `Expected ${what} for ${JSON.stringify(path)} but received ${received}`;
  return new MusicLDMError("E_AUDIO", message, { path, received });
}
