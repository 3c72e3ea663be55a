import { call, NativeObject } from "./native.js";
import type { NativeReference } from "./native.js";

/**
 * While one is alive, the memory of finished jobs is kept for later ones, so that the steps of a
 * generation do not have their pages faulted in again.
 */
export class BlockHold extends NativeObject {
  static async create(): Promise<BlockHold> {
    return new BlockHold((await call<NativeReference>("runtime.hold_blocks", [])).handle);
  }
}
