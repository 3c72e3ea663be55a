/** Time the library, alone or against PyTorch eager in the same run; see docs/performance.md. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { callSync, setThreads } from "../lib/runtime/native.js";
import { compareStage } from "./compare.js";
import type { StageResult } from "./compare.js";
import { makeInputs } from "./inputs.js";
import type { Inputs } from "./inputs.js";
import { measureMemory, strippedAddonBytes } from "./memory.js";
import type { MemoryResult } from "./memory.js";
import { presetFolder } from "./model.js";
import { program } from "./options.js";
import type { Flags } from "./options.js";
import { Ours } from "./ours.js";
import { Reference } from "./reference.js";
import { machine, printReport } from "./report.js";
import type { Report } from "./report.js";
import { stageTitles } from "./stages.js";
import type { Task } from "./stages.js";

const prompt = "a relaxing jazz song with piano and drums";
const guidanceScale = 2;

interface Setting {
  readonly flags: Flags;
  readonly task: Task;
  readonly threads: number;
  readonly torch: string;
  /** Folder for files in transit. */
  readonly scratch: string;
}

async function bench(setting: Setting): Promise<Report> {
  const { flags, task, threads, torch, scratch } = setting;
  const before = machine();
  const addonBytes = await strippedAddonBytes(scratch);
  using inputs = await makeInputs(task, scratch);
  const { stages, versions } = await timeStages(setting, inputs);
  const memory = flags.memory ? await measure(setting, inputs) : undefined;
  const reference = versions && { reference: versions };
  return {
    conditions: { task, threads, rounds: flags.rounds, torch, ...before, ...reference },
    stages,
    ...(memory && { memory }),
    ...(addonBytes !== undefined && { addonBytes }),
  };
}

async function openReference(
  { flags, task, threads, scratch }: Setting,
  inputs: Inputs,
): Promise<Reference | undefined> {
  if (!flags.reference) return undefined;
  return Reference.open({ python: flags.python, threads }, { task, inputs, folder: scratch });
}

interface Timed {
  readonly stages: readonly StageResult[];
  /** Of the reference's packages. */
  readonly versions: Readonly<Record<string, string>> | undefined;
}

async function timeStages(setting: Setting, inputs: Inputs): Promise<Timed> {
  const { flags, task } = setting;
  await using reference = await openReference(setting, inputs);
  using ours = await Ours.open(inputs, task);
  const stages: StageResult[] = [];
  for (const stage of flags.stages) {
    console.error(`${stageTitles[stage]} ...`);
    stages.push(await compareStage(stage, ours, reference, flags));
  }
  return { stages, versions: reference?.versions };
}

/** Measure each side in a process that has done nothing else, with the other one gone. */
async function measure(setting: Setting, inputs: Inputs): Promise<MemoryResult> {
  const { task, threads } = setting;
  console.error("memory ...");
  const reference = await openReference(setting, inputs);
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

await main(program.parse().opts<Flags>());
