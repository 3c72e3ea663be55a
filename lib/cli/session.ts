import { exitCodes } from "./failure.js";

type InterruptSignal = "SIGINT" | "SIGTERM";

/** What a run of the program shares: abort by signals, and standard output. */
export interface Session {
  readonly signal: AbortSignal;
  /** The signal that asked for the end, if one did. */
  readonly interrupt: InterruptSignal | undefined;
}

/**
 * Abort on the first Ctrl-C or SIGTERM and exit at once on the second; end quietly, as other
 * programs do by SIGPIPE, when the reader of standard output goes away.
 */
export function openSession(): Session {
  const controller = new AbortController();
  const session: { signal: AbortSignal; interrupt: InterruptSignal | undefined } = {
    signal: controller.signal,
    interrupt: undefined,
  };
  const end = (signal: InterruptSignal): void => {
    const code = signal === "SIGTERM" ? exitCodes.terminated : exitCodes.interrupted;
    if (session.interrupt) process.exit(code);
    session.interrupt = signal;
    controller.abort();
  };
  process.on("SIGINT", end);
  process.on("SIGTERM", end);
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    process.exit(error.code === "EPIPE" ? exitCodes.closedPipe : exitCodes.failed);
  });
  process.stderr.on("error", () => undefined);
  return session;
}

/** Print text on standard output and wait until it is taken. */
export async function print(text: string): Promise<void> {
  await new Promise<void>((resolve) => process.stdout.write(`${text}\n`, () => resolve()));
}

/** Print one JSON document on standard output. */
export async function printJson(value: unknown): Promise<void> {
  await print(JSON.stringify(value, null, 2));
}
