/** A step of a long call. */
export interface ProgressEvent {
  /** What is running: `"text"`, `"denoise"`, `"decode"`, `"vocode"`, … */
  readonly stage: string;
  /** Steps of the stage that are done, 0..totalSteps. */
  readonly step: number;
  readonly totalSteps: number;
}

/** What every long call takes. */
export interface CallOptions {
  /** Aborts within one step; the call rejects with `E_ABORTED`. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((event: ProgressEvent) => void) | undefined;
}
