import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { initClap } from "../../lib/clap/init.js";
import type { ClapPresetName } from "../../lib/clap/presets.js";
import { setThreads } from "../../lib/runtime/native.js";

const root = mkdtempSync(join(tmpdir(), "musicldm-clap-"));
process.on("exit", () => rmSync(root, { recursive: true, force: true }));

// Its layers are too small to share: a second thread only costs.
setThreads(1);

let made = 0;

/** A path in a folder that goes when the process ends. */
export function freshPath(name: string): string {
  made += 1;
  return join(root, `${made}-${name}`);
}

/** Write a random CLAP and return its folder. */
export async function makeClap(preset: ClapPresetName, seed = 1): Promise<string> {
  const folder = freshPath(preset);
  await initClap({ preset, folder, seed });
  return folder;
}

/** Copy a CLAP folder, with settings of one of its JSON files replaced. */
export function withSettings(
  source: string,
  name: "config.json" | "preprocessor_config.json",
  change: Readonly<Record<string, unknown>>,
): string {
  const folder = freshPath("settings");
  cpSync(source, folder, { recursive: true });
  const file = join(folder, name);
  const json = JSON.parse(readFileSync(file, "utf8")) as object;
  writeFileSync(file, JSON.stringify({ ...json, ...change }));
  return folder;
}
