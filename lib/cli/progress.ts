import type { ProgressEvent } from "../runtime/abort.js";

/** Shows how far a long call is; `stop` leaves the terminal as it was. */
export interface ProgressReporter {
  readonly report: (event: ProgressEvent) => void;
  readonly stop: () => void;
}

const silent: ProgressReporter = { report: () => undefined, stop: () => undefined };

/** A live bar on a terminal, plain lines otherwise, nothing when quiet; on standard error. */
export async function createProgress(quiet: boolean): Promise<ProgressReporter> {
  if (quiet) return silent;
  return process.stderr.isTTY ? createBar() : createLines();
}

async function createBar(): Promise<ProgressReporter> {
  const { Presets, SingleBar } = await import("cli-progress");
  const format = "{stage} [{bar}] {value}/{total} | {duration_formatted} | ETA {eta_formatted}";
  let bar: InstanceType<typeof SingleBar> | undefined;
  let stage = "";
  const stop = (): void => {
    bar?.stop();
    bar = undefined;
  };
  const start = (event: ProgressEvent): void => {
    stop();
    stage = event.stage;
    const options = { format, hideCursor: true, barsize: 30, etaBuffer: 20, linewrap: false };
    bar = new SingleBar({ ...options, stream: process.stderr }, Presets.shades_classic);
    bar.start(event.totalSteps, event.step, { stage: stage.padEnd(8) });
  };
  const report = (event: ProgressEvent): void => {
    if (event.stage !== stage || bar?.getTotal() !== event.totalSteps) start(event);
    else bar.update(event.step);
  };
  return { report, stop };
}

/** A line at the start of each stage and at every further tenth of it. */
function createLines(): ProgressReporter {
  const startedAt = performance.now();
  let last = "";
  const report = ({ stage, step, totalSteps }: ProgressEvent): void => {
    const tenth = totalSteps > 0 ? Math.floor((10 * step) / totalSteps) : 0;
    const key = `${stage} ${tenth} ${totalSteps}`;
    if (key === last) return;
    last = key;
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
    process.stderr.write(`${stage} ${step}/${totalSteps} (${seconds} s)\n`);
  };
  return { report, stop: () => undefined };
}
