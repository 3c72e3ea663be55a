import { availableParallelism, cpus, loadavg } from "node:os";
import type { Packing } from "../lib/nn/module.js";
import type { Conv3x3Result } from "./conv3x3.js";
import { probedPackings } from "./memory.js";
import type { MemoryResult } from "./memory.js";
import { peerTitles } from "./peers.js";
import type { PeerName } from "./peers.js";
import type { Profiles, StageProfiles } from "./profile.js";
import type { MachineRates } from "./rates.js";
import { pipelineSteps } from "./reference.js";
import { stageTitles } from "./stages.js";
import type { Task } from "./stages.js";
import type { Efficiency, StageSummary } from "./summary.js";
import { printTable } from "./table.js";

/** What was measured, where. */
export interface Conditions {
  readonly task: Task;
  readonly threads: number;
  readonly packing: Packing;
  readonly rounds: number;
  readonly cpu: string;
  readonly cores: number;
  /** Mean processes that wanted a core in the minute before: noise, where it is not about 0. */
  readonly load: number;
  readonly torch: string;
  /** Of the peers' packages. */
  readonly versions: Readonly<Record<string, string>>;
}

export interface Report {
  readonly conditions: Conditions;
  readonly rates: MachineRates;
  readonly stages: readonly StageSummary[];
  readonly conv3x3?: readonly Conv3x3Result[];
  readonly profiles?: Profiles;
  readonly memory?: MemoryResult;
  readonly addonBytes?: number;
}

/** Describe this machine. */
export function machine(): Pick<Conditions, "cpu" | "cores" | "load"> {
  const cpu = cpus()[0]?.model ?? "unknown";
  return { cpu, cores: availableParallelism(), load: loadavg()[0] ?? NaN };
}

export function printReport(report: Report): void {
  const { conditions, rates, stages, conv3x3, profiles, memory, addonBytes } = report;
  printConditions(conditions);
  printRates(conditions.threads, rates);
  if (stages.length > 0) printStages(stages);
  if (conv3x3) printConv3x3(conv3x3, rates);
  if (profiles) printProfiles(profiles);
  if (memory) printMemory(memory);
  if (addonBytes !== undefined) console.log(`addon, stripped: ${megabytes(addonBytes)}`);
}

function printConditions({ task, ...conditions }: Conditions): void {
  const { cpu, cores, threads, packing, rounds, load, torch, versions } = conditions;
  const { seconds, steps, folder } = task;
  console.log(`${cpu}, ${cores} cores; ${threads} threads; load before: ${load.toFixed(2)}`);
  console.log(
    `libtorch ${torch}; ${seconds} s, ${steps} steps, ${rounds} rounds, ${packing}; ${folder}`,
  );
  const texts = Object.entries(versions).map((entry) => entry.join(" "));
  if (texts.length > 0) console.log(`peers: ${texts.join(", ")}`);
}

function printRates(threads: number, { all, single, fmaScaling }: MachineRates): void {
  const both = (key: "fmaGflops" | "productGflops"): string =>
    `${all[key].toFixed(0)} GFLOP/s with ${threads} threads, ${single[key].toFixed(0)} with 1`;
  console.log(`${all.capability} multiply-adds in registers: ${both("fmaGflops")}`);
  console.log(`matrix products: ${both("productGflops")}`);
  console.log(`scaling of multiply-adds from 1 to ${threads} threads: ${fmaScaling.toFixed(2)}`);
}

function printStages(stages: readonly StageSummary[]): void {
  const peers = [...new Set(stages.flatMap(({ against }) => against.map(({ peer }) => peer)))];
  printTable("Medians: seconds on the clock (CPU seconds of all threads)", timeRows(stages, peers));
  if (peers.length > 0) {
    printTable(
      "Ratios, peer over ours (of CPU time); above 1 ours is faster",
      ratioRows(stages, peers),
    );
    printTable("Distance from the first peer, relative norm", distanceRows(stages, peers));
  }
  printTable("Effective rates, and scaling with threads", efficiencyRows(stages));
  const whole = stages.find(({ stage }) => stage === "default");
  if (whole && peers.length > 0) {
    const how = whole.estimate ?? `peer: all ${pipelineSteps} steps, run once`;
    console.log(`\n${stageTitles.default}, ${how}`);
  }
  console.log("");
}

function title({ stage, repeats, estimate }: StageSummary): string {
  const notes = [...(repeats > 1 ? [`mean of ${repeats}`] : []), ...(estimate ? ["estimate"] : [])];
  return notes.length > 0 ? `${stageTitles[stage]} (${notes.join(", ")})` : stageTitles[stage];
}

type Rows = readonly (readonly string[])[];

function timeRows(stages: readonly StageSummary[], peers: readonly PeerName[]): Rows {
  const rows = stages.map((stage) => [
    title(stage),
    ...(["ours", ...peers] as const).map((side) => {
      const time = stage.times[side];
      return time ? `${digits(time.wallSeconds)} (${digits(time.cpuSeconds)})` : "";
    }),
  ]);
  return [["stage", "ours", ...peers.map((peer) => peerTitles[peer])], ...rows];
}

function ratioRows(stages: readonly StageSummary[], peers: readonly PeerName[]): Rows {
  const rows = stages.map((stage) => {
    const { best, against } = stage;
    const found = peers.map((peer) => against.find((each) => each.peer === peer));
    return [
      stageTitles[stage.stage],
      ...found.map((each) =>
        each ? `${each.ratio.toFixed(2)} (${each.cpuRatio.toFixed(2)})` : "",
      ),
      best ? `${best.ratio.toFixed(2)} (${best.cpuRatio.toFixed(2)})` : "",
      best?.peer ?? "",
      best?.ofFastest.toFixed(2) ?? "",
      best?.byRound.map((ratio) => ratio.toFixed(2)).join(" ") ?? "",
    ];
  });
  return [["stage", ...peers, "best of them", "which", "of fastest", "by round"], ...rows];
}

function distanceRows(stages: readonly StageSummary[], peers: readonly PeerName[]): Rows {
  const rows = stages.map(({ stage, distances }) => [
    stageTitles[stage],
    ...(["ours", ...peers] as const).map((side) => distances[side]?.toExponential(1) ?? ""),
  ]);
  return [["stage", "ours", ...peers], ...rows];
}

function efficiencyRows(stages: readonly StageSummary[]): Rows {
  const counted = stages.filter(({ gigaflop }) => gigaflop !== undefined);
  const rows = counted.map(({ stage, gigaflop = NaN, efficiency, best, scaling }) => [
    stageTitles[stage],
    gigaflop.toFixed(1),
    ...rates(efficiency.ours),
    ...(best ? rates(efficiency[best.peer]) : ["", "", ""]),
    scaling?.toFixed(2) ?? "",
  ]);
  const of = (side: string): readonly string[] => [
    `${side} GFLOP/s`,
    "of multiply-adds",
    "of products",
  ];
  return [["stage", "GFLOP", ...of("ours"), ...of("best peer"), "scaling"], ...rows];
}

function rates(efficiency: Efficiency | undefined): readonly string[] {
  if (!efficiency) return ["", "", ""];
  const { gflops, ofFma, ofProduct } = efficiency;
  return [gflops.toFixed(0), ofFma.toFixed(2), ofProduct.toFixed(2)];
}

function printConv3x3(results: readonly Conv3x3Result[], { all }: MachineRates): void {
  const cells = (result: Omit<Conv3x3Result, "network" | "shape" | "count">) => {
    const { gigaflop, seconds, eagerSeconds, ratio, distance } = result;
    const gflops = gigaflop / seconds;
    return [
      (1000 * seconds).toPrecision(3),
      gflops.toFixed(0),
      (gflops / all.fmaGflops).toFixed(2),
      eagerSeconds === undefined ? "" : (gigaflop / eagerSeconds).toFixed(0),
      ratio?.toFixed(2) ?? "",
      distance?.toExponential(1) ?? "",
    ];
  };
  const rows = results.map((result) => [conv3x3Title(result), `${result.count}`, ...cells(result)]);
  const sums = (["unet", "vae"] as const).map((network) => {
    const sum = sumConv3x3(results.filter((result) => result.network === network));
    return [`${network}, all`, `${sum.count}`, ...cells(sum)];
  });
  const header = ["batch, channels, map", "times", "ours ms", "GFLOP/s", "of multiply-adds"];
  const eager = ["eager GFLOP/s", "eager/ours", "distance"];
  printTable("3×3 convolutions alone, effective rates", [[...header, ...eager], ...rows, ...sums]);
}

function conv3x3Title({ network, shape }: Conv3x3Result): string {
  const { batch, inChannels, outChannels, stride, frames, bins } = shape;
  const strided = stride > 1 ? `, stride ${stride}` : "";
  return `${network}: ${batch}, ${inChannels} → ${outChannels}, ${frames}×${bins}${strided}`;
}

/** All convolutions of a network together. */
function sumConv3x3(results: readonly Conv3x3Result[]) {
  const sum = (of: (result: Conv3x3Result) => number): number =>
    results.reduce((total, result) => total + result.count * of(result), 0);
  const [seconds, eagerSeconds] = [
    sum((result) => result.seconds),
    sum((result) => result.eagerSeconds ?? NaN),
  ];
  const against = Number.isNaN(eagerSeconds) ? {} : { eagerSeconds, ratio: eagerSeconds / seconds };
  return { count: sum(() => 1), gigaflop: sum((result) => result.gigaflop), seconds, ...against };
}

function printProfiles({ ours, eager }: Profiles): void {
  const title = (side: string): string => `${side} by kind of operator: milliseconds (share)`;
  printTable(title("Ours"), profileRows(ours));
  if (eager) printTable(title("PyTorch eager"), profileRows(eager));
  console.log("");
}

function profileRows(profiles: StageProfiles): Rows {
  const kinds = Object.keys(Object.values(profiles)[0] ?? {});
  const rows = Object.entries(profiles).map(([stage, profile]) => {
    const total = Object.values(profile).reduce((sum, time) => sum + time, 0);
    const cells = kinds.map((kind) => {
      const time = profile[kind] ?? 0;
      return `${time.toFixed(1)} (${((100 * time) / total).toFixed(0)} %)`;
    });
    return [stage, ...cells, total.toFixed(1)];
  });
  return [["stage", ...kinds, "total"], ...rows];
}

function printMemory(memory: MemoryResult): void {
  const { folderBytes, ours, reference } = memory;
  const { fast } = ours;
  const opening = `${fast.openSeconds.toFixed(2)} s (libtorch ${fast.loadSeconds.toFixed(2)} s)`;
  console.log(`opening ${megabytes(folderBytes)} from the page cache: ${opening}`);
  const delay = fast.delayMilliseconds.toFixed(1);
  console.log(`event-loop delay p99 in a generation: ${delay} ms`);
  for (const packing of probedPackings) {
    const { peakBytes, generateSeconds } = ours[packing];
    const time = `a generation from a cold start took ${generateSeconds.toFixed(1)} s`;
    console.log(`peak resident memory, packing "${packing}": ${megabytes(peakBytes)}; ${time}`);
  }
  if (!reference) return;
  const { peakBytes, loadedBytes } = reference;
  const before = `${megabytes(loadedBytes)} of it before the generation`;
  console.log(`peak resident memory, PyTorch eager: ${megabytes(peakBytes)}, ${before}`);
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}

function digits(seconds: number): string {
  return seconds.toPrecision(3);
}
