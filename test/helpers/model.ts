import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ExecutionContext } from "ava";
import { MusicLDM } from "../../lib/musicldm/musicldm.js";
import { initPretrained } from "../../lib/musicldm/init.js";
import type { LoadOptions } from "../../lib/musicldm/types.js";
import { readSafetensors, writeSafetensors } from "../../lib/checkpoint/safetensors.js";
import { memory, setThreads } from "../../lib/runtime/native.js";
import type { Tensor } from "../../lib/tensor/tensor.js";

const root = mkdtempSync(join(tmpdir(), "musicldm-model-"));
process.on("exit", () => rmSync(root, { recursive: true, force: true }));

/** The debug preset, made once per test process. */
export const debugFolder = join(root, "debug");
await initPretrained({ preset: "debug", folder: debugFolder, seed: 1 });

// Its layers are too small to share: a second thread only costs.
setThreads(1);

export async function openDebug(options: LoadOptions = {}): Promise<MusicLDM> {
  return MusicLDM.fromPretrained(debugFolder, options);
}

export type Part = "text_encoder" | "unet" | "vae" | "vocoder";

/** Copy the debug folder, with one tensor of one part changed; returns the copy. */
export async function changedFolder(
  part: Part,
  name: string,
  change: (tensor: Tensor) => Promise<Tensor>,
): Promise<string> {
  const folder = mkdtempSync(join(root, `${part}-`));
  cpSync(debugFolder, folder, { recursive: true });
  const stem = part === "unet" || part === "vae" ? "diffusion_pytorch_model" : "model";
  const file = join(folder, part, `${stem}.safetensors`);
  using content = await readSafetensors(file);
  const old = content.tensors[name];
  if (!old) throw new Error(`${part} has no ${name}`);
  using changed = await change(old);
  await writeSafetensors(file, { ...content.tensors, [name]: changed }, content.metadata);
  return folder;
}

/** |actual − wanted| / |wanted|; not a number for different lengths. */
export function distance(actual: Float32Array, wanted: Float32Array): number {
  if (actual.length !== wanted.length) return NaN;
  let difference = 0;
  let total = 0;
  for (const [i, value] of wanted.entries()) {
    difference += ((actual[i] ?? NaN) - value) ** 2;
    total += value ** 2;
  }
  return Math.sqrt(difference / total);
}

/** Assert that an action leaves no native handle and no native byte behind. */
export async function assertNothingLeft(
  t: ExecutionContext,
  action: () => Promise<unknown>,
  what = "memory",
): Promise<void> {
  const before = memory();
  await action();
  t.deepEqual(memory(), before, what);
}
