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
  const options = { python: flags.python, threads };
  await using reference = flags.reference
    ? await Reference.open(options, { task, inputs, folder: scratch })
    : undefined;
  const stages = await timeStages(setting, inputs, reference);
  const memory = flags.memory ? await measure(setting, reference) : undefined;
  const versions = reference && { reference: reference.versions };
  return {
    conditions: { task, threads, rounds: flags.rounds, torch, ...before, ...versions },
    stages,
    ...(memory && { memory }),
    ...(addonBytes !== undefined && { addonBytes }),
  };
}

async function timeStages(
  { flags, task }: Setting,
  inputs: Inputs,
  reference: Reference | undefined,
): Promise<readonly StageResult[]> {
  using ours = await Ours.open(inputs, task);
  const results: StageResult[] = [];
  for (const stage of flags.stages) {
    console.error(`${stageTitles[stage]} ...`);
    results.push(await compareStage(stage, ours, reference, flags));
  }
  return results;
}

/** The reference ends in between: nobody else holds memory while ours is measured. */
async function measure(
  { task, threads }: Setting,
  reference: Reference | undefined,
): Promise<MemoryResult> {
  console.error("memory ...");
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
