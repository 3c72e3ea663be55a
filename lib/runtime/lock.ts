import { open, rename, rm, stat, utimes } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { throwIfAborted } from "./native.js";

const beatMilliseconds = 5_000;
const staleMilliseconds = 60_000;
const pollMilliseconds = 250;

/**
 * Run `work` while holding a lock file; wait while another process holds it. A holder keeps the
 * file's time fresh, so that a lock whose holder died is broken after a minute.
 *
 * Errors: `E_ABORTED` while waiting.
 */
export async function withLock<T>(
  path: string,
  work: () => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  while (!(await acquire(path))) {
    throwIfAborted(signal);
    await breakStale(path);
    await sleep(pollMilliseconds);
  }
  const beat = setInterval(() => {
    const now = new Date();
    utimes(path, now, now).catch(() => undefined);
  }, beatMilliseconds);
  beat.unref();
  try {
    return await work();
  } finally {
    clearInterval(beat);
    await rm(path, { force: true });
  }
}

async function acquire(path: string): Promise<boolean> {
  try {
    await (await open(path, "wx")).close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/** Of several that wait, only the one whose rename succeeds removes the file. */
async function breakStale(path: string): Promise<void> {
  const age = Date.now() - ((await stat(path).catch(() => null))?.mtimeMs ?? Date.now());
  if (age < staleMilliseconds) return;
  const aside = `${path}.${process.pid}.stale`;
  await rename(path, aside).catch(() => undefined);
  await rm(aside, { force: true });
}
