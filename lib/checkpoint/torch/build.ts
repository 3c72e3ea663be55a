import type { ReadContext } from "./context.js";
import type { TorchValue } from "./values.js";

/** Makes a value from the arguments that a pickle gives to a global. */
export type Build = (args: readonly TorchValue[], context: ReadContext) => TorchValue;
