import { availableParallelism } from "node:os";
import { throwIfAborted } from "../runtime/native.js";

/** Files that are decoded at a time; further ones wait their turn. */
const mostAtOnce = Math.min(4, availableParallelism());

let running = 0;
const waiting: (() => void)[] = [];

/** Run one of a few jobs at a time, first come, first served. @throws E_ABORTED */
export async function queued<T>(
  signal: AbortSignal | undefined,
  job: () => Promise<T>,
): Promise<T> {
  throwIfAborted(signal);
  if (running >= mostAtOnce) await turn(signal);
  else running++;
  try {
    return await job();
  } finally {
    const next = waiting.shift();
    if (next) next();
    else running--;
  }
}

/** Wait for a place, which a job that ends hands over. */
async function turn(signal: AbortSignal | undefined): Promise<void> {
  let abort: (() => void) | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      waiting.push(resolve);
      abort = () => {
        const place = waiting.indexOf(resolve);
        if (place < 0) return;
        waiting.splice(place, 1);
        reject(new Error("aborted"));
      };
      signal?.addEventListener("abort", abort);
    });
  } catch (error) {
    throwIfAborted(signal);
    throw error;
  } finally {
    if (abort) signal?.removeEventListener("abort", abort);
  }
}
