import type { AudioInput } from "../audio/index.js";
import type { CallOptions } from "../runtime/abort.js";
import type { IndexModel } from "./index-input.js";
import type { TimedEmbedding } from "./types.js";

/** Windows that cover a clip. */
export interface Windowing {
  /** Length of a window. Default: the model's own, 10 s. */
  readonly windowSeconds?: number | undefined;
  /** From the start of one window to that of the next. Default: half a window. */
  readonly hopSeconds?: number | undefined;
}

export interface TimelineOptions extends Windowing, Pick<CallOptions, "signal"> {
  /** An embedding of every window. */
  readonly pool: "timeline";
}

/** What indexing and searching need of a model; `Clap` is one. */
export interface SearchModel extends IndexModel {
  /** Embed texts, one of unit norm each. */
  embedText(
    texts: readonly string[],
    options?: Pick<CallOptions, "signal">,
  ): Promise<readonly Float32Array[]>;
  /** Embed the windows of several clips, in the order of time. */
  embedAudio(
    inputs: readonly AudioInput[],
    options: TimelineOptions,
  ): Promise<readonly (readonly TimedEmbedding[])[]>;
}
