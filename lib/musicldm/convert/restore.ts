import { stat } from "node:fs/promises";
import { makeTensors } from "../../checkpoint/convert/part.js";
import type { Part } from "../../checkpoint/convert/part.js";
import type { Input } from "../../checkpoint/convert/source.js";
import { writeSafetensors } from "../../checkpoint/safetensors.js";
import { writeTorch } from "../../checkpoint/torch/write.js";
import { expected } from "../../runtime/errors.js";
import { Tensor } from "../../tensor/tensor.js";
import { ldmPrefixes } from "./plan.js";
import { count, reportPart } from "./publish.js";
import type { ConvertedPart, ConvertOptions } from "./types.js";

/**
 * Write all parts into one file with the names of an original layout: a safetensors file if it is
 * named so, else a torch file with the state dict where the original's programs look for it.
 */
export async function restore(
  path: string,
  parts: readonly Part[],
  input: Input,
  options: ConvertOptions,
): Promise<readonly ConvertedPart[]> {
  await refuseExisting(path, options.force === true);
  const { dtype, signal } = options;
  const all: Record<string, Tensor> = {};
  const written: ConvertedPart[] = [];
  try {
    for (const part of parts) {
      const tensors = await makeTensors(part, { dtype, keep: true, signal });
      written.push({ name: part.name, ...count(tensors), config: null });
      const prefix = input.kind === "pipeline" ? prefixOf(part) : "";
      for (const [name, tensor] of Object.entries(tensors)) all[prefix + name] = tensor;
      reportPart(options, written.length, parts);
    }
    const scale = input.sources.vae?.config?.["scaling_factor"];
    if (typeof scale === "number") all["scale_factor"] = await Tensor.full([], scale);
    await write(path, all, input, signal);
    return written;
  } finally {
    for (const tensor of Object.values(all)) tensor.dispose();
  }
}

async function write(
  path: string,
  tensors: Readonly<Record<string, Tensor>>,
  { kind }: Input,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (path.endsWith(".safetensors")) {
    return writeSafetensors(path, tensors, { format: "pt" }, { signal });
  }
  const stateKey = kind === "vocoder" ? "generator" : "state_dict";
  return writeTorch(path, { tensors }, { stateKey, signal });
}

function prefixOf({ name }: Part): string {
  return Object.hasOwn(ldmPrefixes, name) ? ldmPrefixes[name as keyof typeof ldmPrefixes] : "";
}

async function refuseExisting(path: string, force: boolean): Promise<void> {
  const found = await stat(path).catch(() => null);
  if (found === null || (force && found.isFile())) return;
  const what = found.isDirectory() ? "a file" : "a path that is free (or force)";
  throw expected("E_IO", what, "output", path, { path });
}
