import type { Timing } from "./stages.js";

/** Start measuring this process; @returns what stops it and gives the mean of the repeats. */
export function stopwatch(): (repeats: number) => Timing {
  const [start, startCpu] = [process.hrtime.bigint(), process.cpuUsage()];
  return (repeats) => {
    const { user, system } = process.cpuUsage(startCpu);
    const wallSeconds = Number(process.hrtime.bigint() - start) / 1e9;
    return { wallSeconds: wallSeconds / repeats, cpuSeconds: (user + system) / 1e6 / repeats };
  };
}
