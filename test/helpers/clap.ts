import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { initClap } from "../../lib/clap/init.js";
import type { ClapPresetName } from "../../lib/clap/presets.js";
import { readSafetensors, writeSafetensors } from "../../lib/checkpoint/safetensors.js";
import { setThreads } from "../../lib/runtime/native.js";
import type { Tensor } from "../../lib/tensor/tensor.js";

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

export type Tensors = Readonly<Record<string, Tensor>>;

/** Copy a CLAP folder; `change` gives the tensors that differ, which are disposed. */
export async function changedClap(
  source: string,
  change: (tensors: Tensors) => Promise<Tensors>,
): Promise<string> {
  const folder = freshPath("changed");
  cpSync(source, folder, { recursive: true });
  const file = join(folder, "model.safetensors");
  using content = await readSafetensors(file);
  const changed = await change(content.tensors);
  await writeSafetensors(file, { ...content.tensors, ...changed }, content.metadata);
  const own = new Set(Object.values(content.tensors));
  for (const tensor of Object.values(changed)) if (!own.has(tensor)) tensor.dispose();
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

/** A sine of 48 kHz. */
export function sine(hertz: number, seconds: number, rate = 48_000): Float32Array {
  const turn = (2 * Math.PI * hertz) / rate;
  return Float32Array.from(
    { length: Math.round(seconds * rate) },
    (_, i) => 0.5 * Math.sin(turn * i),
  );
}

/** The largest difference of two lists. */
export function furthest(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let most = a.length === b.length ? 0 : Infinity;
  for (let i = 0; i < a.length; i += 1)
    most = Math.max(most, Math.abs((a[i] ?? NaN) - (b[i] ?? NaN)));
  return most;
}
