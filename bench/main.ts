/** Time the library, alone or against its peers in the same run; see docs/performance.md. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { callSync, setThreads } from "../lib/runtime/native.js";
import { compareStage } from "./compare.js";
import type { StageTimings } from "./compare.js";
import { timeConv3x3 } from "./conv3x3.js";
import type { Conv3x3Result } from "./conv3x3.js";
import { openField, openReference } from "./field.js";
import type { OpenField, Setting } from "./field.js";
import { makeInputs } from "./inputs.js";
import type { Inputs } from "./inputs.js";
import { measureMemory, strippedAddonBytes } from "./memory.js";
import type { MemoryResult } from "./memory.js";
import { presetFolder } from "./model.js";
import { parseFlags } from "./options.js";
import type { Flags } from "./options.js";
import { MissingPackages } from "./peers.js";
import { estimateDefault, runDefault } from "./pipeline.js";
import { profileStages } from "./profile.js";
import type { Profiles } from "./profile.js";
import type { MachineRates } from "./rates.js";
import { machine, printReport } from "./report.js";
import type { Report } from "./report.js";
import { stageNames, stageTitles } from "./stages.js";
import { summarize } from "./summary.js";
import type { StageSummary } from "./summary.js";
import { countWork } from "./work.js";

const prompt = "a relaxing jazz song with piano and drums";
const guidanceScale = 2;

async function bench(setting: Setting): Promise<Report> {
  const { flags, task, threads, torch, scratch } = setting;
  const { rounds, packing } = flags;
  const before = machine();
  const addonBytes = await strippedAddonBytes(scratch);
  using inputs = await makeInputs(task, scratch);
  const { versions, ...timed } = await timeStages(setting, inputs);
  const memory = flags.memory ? await measure(setting, inputs) : undefined;
  return {
    conditions: { task, threads, rounds, packing, torch, ...before, versions },
    ...timed,
    ...(memory && { memory }),
    ...(addonBytes !== undefined && { addonBytes }),
  };
}

interface Timed {
  readonly stages: readonly StageSummary[];
  readonly rates: MachineRates;
  readonly conv3x3?: readonly Conv3x3Result[];
  readonly profiles?: Profiles;
  /** Of the peers' packages. */
  readonly versions: Readonly<Record<string, string>>;
}

async function timeStages(setting: Setting, inputs: Inputs): Promise<Timed> {
  const { flags, scratch: folder } = setting;
  await using open = await openField(setting, inputs);
  const timings = await runStages(flags, open);
  const { networks } = open.ours;
  const work = countWork(networks, inputs, flags.steps);
  const eager = open.references.get("eager");
  const options = { eager, meter: open.meter, rounds: flags.rounds, folder };
  const hasConv3x3 = flags.stages.includes("conv3x3");
  if (hasConv3x3) console.error("3×3 convolutions ...");
  const conv3x3 = hasConv3x3 ? await timeConv3x3(networks, inputs, options) : undefined;
  const rates = open.meter.result;
  const profiles = flags.profile ? await profileStages(open.ours, eager) : undefined;
  const versions = [...open.references.values()].map((reference) => reference.versions);
  return {
    stages: timings.map((each) => summarize(each, work[each.stage], rates)),
    rates,
    ...(conv3x3 && { conv3x3 }),
    ...(profiles && { profiles }),
    versions: Object.assign({}, ...versions) as Readonly<Record<string, string>>,
  };
}

async function runStages(flags: Flags, { field }: OpenField): Promise<readonly StageTimings[]> {
  const done: StageTimings[] = [];
  for (const stage of stageNames.filter((name) => flags.stages.includes(name))) {
    console.error(`${stageTitles[stage]} ...`);
    if (stage !== "default") done.push(await compareStage(stage, field, flags));
    else if (flags.fullDefault) done.push(await runDefault(field));
    else done.push(await estimateDefault(field, done, flags));
  }
  return done;
}

/** Measure each side in a process that has done nothing else, with the others gone. */
async function measure(setting: Setting, inputs: Inputs): Promise<MemoryResult> {
  const { flags, task, threads } = setting;
  console.error("memory ...");
  const isPaired = flags.reference && flags.peers.includes("eager");
  const reference = isPaired ? await openReference(setting, inputs, "eager") : undefined;
  const peak = await reference?.peak(task.steps);
  await reference?.close();
  return measureMemory({ ...task, threads }, peak);
}

async function main(flags: Flags): Promise<void> {
  const folder = resolve(flags.model ?? (await presetFolder(flags.preset)));
  const info = callSync<{ torchVersion: string; threads: number }>("runtime.info", []);
  const threads = flags.threads ?? info.threads;
  setThreads(threads);
  const { seconds, steps } = flags;
  const task = { folder, seconds, steps, guidanceScale, prompt };
  const scratch = await mkdtemp(join(tmpdir(), "musicldm-bench-"));
  try {
    const report = await bench({ flags, task, threads, torch: info.torchVersion, scratch });
    if (flags.json) console.log(JSON.stringify(report, null, 2));
    else printReport(report);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

await main(parseFlags()).catch((error: unknown) => {
  if (!(error instanceof MissingPackages)) throw error;
  console.error(error.message);
  process.exitCode = 1;
});
