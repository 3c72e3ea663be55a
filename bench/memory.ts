import { execFile, fork } from "node:child_process";
import { once } from "node:events";
import { createReadStream, readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { finished } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Packing } from "../lib/nn/module.js";
import { findAddon } from "../lib/runtime/loader.js";
import type { Probe, ProbeTask } from "./probe.js";
import type { ReferencePeak } from "./reference.js";

const program = join(dirname(fileURLToPath(import.meta.url)), "probe.ts");

/** What a generation of ours needs, at the fastest setting and at the one that saves memory. */
export const probedPackings = ["fast", "compact"] as const satisfies readonly Packing[];

/** Our peak beside that of the reference. */
export interface MemoryResult {
  /** Of all weight files of the folder. */
  readonly folderBytes: number;
  readonly ours: Readonly<Record<(typeof probedPackings)[number], Probe>>;
  readonly reference?: ReferencePeak;
}

/** Run each probe in a process of its own, with the folder in the page cache. */
export async function measureMemory(
  task: Omit<ProbeTask, "packing">,
  reference: ReferencePeak | undefined,
): Promise<MemoryResult> {
  const files = weightFiles(task.folder);
  for (const file of files) await finished(createReadStream(file).resume());
  const folderBytes = files.reduce((sum, file) => sum + statSync(file).size, 0);
  const fast = await startProbe({ ...task, packing: "fast" });
  const compact = await startProbe({ ...task, packing: "compact" });
  const ours = { fast, compact };
  return { folderBytes, ours, ...(reference && { reference }) };
}

async function startProbe(task: ProbeTask): Promise<Probe> {
  const child = fork(program, [JSON.stringify(task)]);
  let probe: Probe | undefined;
  child.on("message", (message) => (probe = message as Probe));
  const [code] = (await once(child, "exit")) as [number | null];
  if (probe) return probe;
  throw new Error(`Expected a measurement but the probe ended with code ${code}`);
}

function weightFiles(folder: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".safetensors"))
    .map((entry) => join(entry.parentPath, entry.name));
}

/** Bytes of the addon without symbols; undefined where there is no `strip`. */
export async function strippedAddonBytes(scratch: string): Promise<number | undefined> {
  const target = join(scratch, "stripped.node");
  try {
    await promisify(execFile)("strip", ["-s", "-o", target, findAddon().path]);
  } catch {
    return undefined;
  }
  return statSync(target).size;
}
