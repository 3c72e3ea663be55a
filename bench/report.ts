import { availableParallelism, cpus, loadavg } from "node:os";
import { median } from "./compare.js";
import type { StageResult } from "./compare.js";
import type { MemoryResult } from "./memory.js";
import { stageTitles } from "./stages.js";
import type { Task, Timing } from "./stages.js";

/** What was measured, where. */
export interface Conditions {
  readonly task: Task;
  readonly threads: number;
  readonly rounds: number;
  readonly cpu: string;
  readonly cores: number;
  /** Mean processes that wanted a core in the minute before: noise, where it is not about 0. */
  readonly load: number;
  readonly torch: string;
  readonly reference?: Readonly<Record<string, string>>;
}

export interface Report {
  readonly conditions: Conditions;
  readonly stages: readonly StageResult[];
  readonly memory?: MemoryResult;
  readonly addonBytes?: number;
}

/** Describe this machine. */
export function machine(): Pick<Conditions, "cpu" | "cores" | "load"> {
  const cpu = cpus()[0]?.model ?? "unknown";
  return { cpu, cores: availableParallelism(), load: loadavg()[0] ?? NaN };
}

export function printReport({ conditions, stages, memory, addonBytes }: Report): void {
  printConditions(conditions);
  if (stages.length > 0) printStages(stages);
  if (memory) printMemory(memory);
  if (addonBytes !== undefined) console.log(`addon, stripped: ${megabytes(addonBytes)}`);
}

function printConditions({ task, ...conditions }: Conditions): void {
  const { cpu, cores, threads, rounds, load, torch, reference } = conditions;
  const { seconds, steps, folder } = task;
  console.log(`${cpu}, ${cores} cores; ${threads} threads; load before: ${load.toFixed(2)}`);
  console.log(`libtorch ${torch}; ${seconds} s, ${steps} steps, ${rounds} rounds; ${folder}`);
  if (!reference) return;
  const versions = Object.entries(reference).map((entry) => entry.join(" "));
  console.log(`reference: ${versions.join(", ")}`);
}

function printStages(stages: readonly StageResult[]): void {
  const rows = stages.map(({ stage, repeats, ours, reference, ...against }) => [
    repeats > 1 ? `${stageTitles[stage]} (mean of ${repeats})` : stageTitles[stage],
    ...times(ours),
    ...(reference ? [...times(reference), ...comparison(against)] : []),
  ]);
  const ratios = ["reference/ours", "by round", "CPU ratio"];
  const both = ["reference s", "CPU s", ...ratios, "relative error"];
  const header = ["stage", "ours s", "CPU s", ...(stages[0]?.reference ? both : [])];
  console.log("");
  for (const line of table([header, ...rows])) console.log(line);
  console.log("");
}

/** Medians on the clock and of the processors. */
function times(timings: readonly Timing[]): readonly string[] {
  const of = (key: keyof Timing): string =>
    median(timings.map((timing) => timing[key])).toPrecision(4);
  return [of("wallSeconds"), of("cpuSeconds")];
}

function comparison({
  ratios = [],
  cpuRatios = [],
  relativeError = NaN,
}: Pick<StageResult, "ratios" | "cpuRatios" | "relativeError">): readonly string[] {
  const rounds = ratios.map((ratio) => ratio.toFixed(2)).join(" ");
  const medians = [median(ratios).toFixed(3), rounds, median(cpuRatios).toFixed(3)];
  return [...medians, relativeError.toExponential(1)];
}

/** Lay out rows as a Markdown table. */
function table(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, c) => Math.max(...rows.map((row) => row[c]?.length ?? 0)));
  const lines = rows.map(
    (row) => `| ${row.map((cell, c) => cell.padEnd(widths[c] ?? 0)).join(" | ")} |`,
  );
  const rule = `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`;
  return [...lines.slice(0, 1), rule, ...lines.slice(1)];
}

function printMemory(memory: MemoryResult): void {
  const { folderBytes, ours, reference, activationBytes = NaN, budgetBytes = NaN } = memory;
  const opening = `${ours.openSeconds.toFixed(2)} s (libtorch ${ours.loadSeconds.toFixed(2)} s)`;
  console.log(`opening ${megabytes(folderBytes)} from the page cache: ${opening}`);
  const delay = ours.delayMilliseconds.toFixed(1);
  console.log(`event-loop delay p99 in a generation: ${delay} ms`);
  console.log(`peak resident memory, ours: ${megabytes(ours.peakBytes)}`);
  if (!reference) return;
  const { peakBytes, loadedBytes, weightBytes } = reference;
  const parts = `${megabytes(loadedBytes)} loaded + ${megabytes(activationBytes)} activations`;
  console.log(`peak resident memory, reference: ${megabytes(peakBytes)} = ${parts}`);
  const sum = `1.25 * ${megabytes(weightBytes)} weights + activations = ${megabytes(budgetBytes)}`;
  console.log(`budget: ${sum}; ours/budget: ${(memory.ratio ?? NaN).toFixed(3)}`);
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}
