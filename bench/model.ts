import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { initPretrained } from "../lib/index.js";
import type { PresetName } from "../lib/musicldm/presets.js";
import { cacheRoot } from "../lib/runtime/paths.js";

/** Find the randomly initialised folder of a preset in the per-user cache; make it once. */
export async function presetFolder(preset: PresetName): Promise<string> {
  const folder = join(cacheRoot(), "bench", preset);
  if (existsSync(join(folder, "model_index.json"))) return folder;
  console.error(`Writing ${preset} with random weights to ${folder}`);
  await mkdir(dirname(folder), { recursive: true });
  await initPretrained({ preset, folder, seed: 0 });
  return folder;
}

/** Where exported networks of a model folder are kept, in the same cache. */
export function onnxFolder(folder: string): string {
  const name = createHash("sha256").update(folder).digest("hex").slice(0, 8);
  return join(cacheRoot(), "bench", `${basename(folder)}-onnx-${name}`);
}
