import { inspect } from "node:util";

/** Every code that the library throws; the union is closed, so a `switch` can be exhaustive. */
export const errorCodes = [
  "E_ABORTED",
  "E_ADDON",
  "E_ARGUMENT",
  "E_AUDIO",
  "E_CHECKPOINT",
  "E_CONFIG",
  "E_DISPOSED",
  "E_DTYPE",
  "E_INTERNAL",
  "E_IO",
  "E_LIBTORCH",
  "E_LIBTORCH_ABI",
  "E_NONFINITE",
  "E_NO_CUDA",
  "E_OUT_OF_MEMORY",
  "E_SETUP",
  "E_SHAPE",
] as const;

export type ErrorCode = (typeof errorCodes)[number];

export type ErrorDetails = Readonly<Record<string, unknown>>;

/** The one error class of the library: a `code` to branch on and `details` to report. */
export class MusicLDMError extends Error {
  override readonly name = "MusicLDMError";
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    const { cause, ...rest } = details;
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.details = rest;
  }
}

/** Show a received value in an error message, short and on one line. */
export function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(clip(value));
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  if (typeof value === "bigint") return `${value}n`;
  if (ArrayBuffer.isView(value)) return `${value.constructor.name} of ${value.byteLength} bytes`;
  return clip(inspect(value, { depth: 2, breakLength: Infinity }));
}

function clip(text: string): string {
  return text.length <= 120 ? text : `${text.slice(0, 117)}...`;
}

/** Build "Expected <what> for <name> but received <value>". */
export function expected(
  code: ErrorCode,
  what: string,
  name: string,
  received: unknown,
  details: ErrorDetails = {},
): MusicLDMError {
  const message = `Expected ${what} for ${name} but received ${show(received)}`;
  return new MusicLDMError(code, message, { name, received: show(received), ...details });
}

function isErrorCode(code: unknown): code is ErrorCode {
  return errorCodes.some((known) => known === code);
}

/** Turn whatever the addon or Node threw into a `MusicLDMError`; the one place that does. */
export function toMusicLDMError(error: unknown): MusicLDMError {
  if (error instanceof MusicLDMError) return error;
  const source = error instanceof Error ? error : new Error(String(error));
  const { code, details } = source as Error & { code?: unknown; details?: ErrorDetails };
  if (isErrorCode(code)) return new MusicLDMError(code, source.message, { ...details });
  const isSystemError = typeof code === "string" && /^E[A-Z0-9]+$/.test(code);
  const ours: ErrorCode = isSystemError ? "E_IO" : "E_INTERNAL";
  return new MusicLDMError(ours, source.message, { ...(isSystemError && { code }), cause: source });
}
