import { stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { expected, toMusicLDMError } from "../runtime/errors.js";
import type { Checkpoint, CheckpointEntry } from "./checkpoint.js";
import { findWeights, isFile, openWeights, readJson, shardFiles } from "./files.js";
import type { WeightFiles } from "./files.js";
import { componentNames, indexName, weightStems } from "./layout.js";

/** How many tensors and elements a checkpoint has. */
export interface TensorTotals {
  readonly tensors: number;
  readonly elements: number;
  readonly bytes: number;
}

/** What can be said of a checkpoint without loading weights. */
export interface ComponentReport extends TensorTotals {
  readonly name: string;
  readonly files: readonly { readonly path: string; readonly bytes: number }[];
  /** The `config.json` beside the weights, as it is. */
  readonly config: unknown;
  readonly metadata: Readonly<Record<string, string>>;
  readonly dtypes: Readonly<Record<string, TensorTotals>>;
  readonly entries: readonly CheckpointEntry[];
}

/** A checkpoint file, a component's folder, or a model folder. */
export interface CheckpointReport extends TensorTotals {
  readonly path: string;
  readonly kind: "file" | "component" | "model";
  /** The pipeline class of a model folder. */
  readonly pipeline: string | null;
  readonly components: readonly ComponentReport[];
}

/**
 * Describe a safetensors or torch file, a shard index, a component's folder or a model folder by
 * its headers and configuration; configurations are shown as they are, valid or not.
 *
 * Errors: `E_IO`, `E_CHECKPOINT`, `E_CONFIG` (no JSON).
 */
export async function inspectCheckpoint(path: string): Promise<CheckpointReport> {
  const status = await stat(path).catch((error: unknown) => {
    throw toMusicLDMError(error);
  });
  if (!status.isDirectory()) {
    const weights = path.endsWith(".json")
      ? await shardFiles(path)
      : { paths: [path], index: null };
    return summary(path, "file", [await report(basename(path), dirname(path), weights)]);
  }
  if (!(await isFile(join(path, indexName)))) {
    return summary(path, "component", [await inspectComponent(path)]);
  }
  const components: ComponentReport[] = [];
  for (const name of componentNames) components.push(await inspectComponent(join(path, name)));
  const index = (await readJson(join(path, indexName))) as { _class_name?: unknown } | null;
  const pipeline = typeof index?._class_name === "string" ? index._class_name : null;
  return { ...summary(path, "model", components), pipeline };
}

async function inspectComponent(folder: string): Promise<ComponentReport> {
  const known = componentNames.find((name) => name === basename(folder));
  const stems = known ? [weightStems[known]] : (["model", "diffusion_pytorch_model"] as const);
  for (const stem of stems) {
    const weights = await findWeights(folder, stem);
    if ("paths" in weights) return report(basename(folder), folder, weights);
  }
  throw expected("E_CHECKPOINT", "weights", "folder", folder, { folder });
}

async function report(
  name: string,
  folder: string,
  weights: WeightFiles,
): Promise<ComponentReport> {
  using checkpoint = await openWeights(weights);
  const configFile = join(folder, "config.json");
  const { entries, metadata } = checkpoint;
  return {
    name,
    files: await fileSizes(checkpoint),
    config: (await isFile(configFile)) ? await readJson(configFile) : null,
    metadata,
    entries,
    dtypes: byDtype(entries),
    ...totals(entries),
  };
}

async function fileSizes({ paths }: Checkpoint): Promise<ComponentReport["files"]> {
  return Promise.all(paths.map(async (path) => ({ path, bytes: (await stat(path)).size })));
}

function totals(entries: readonly CheckpointEntry[]): TensorTotals {
  const count = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1);
  return {
    tensors: entries.length,
    elements: entries.reduce((sum, { shape }) => sum + count(shape), 0),
    bytes: entries.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

function byDtype(entries: readonly CheckpointEntry[]): Readonly<Record<string, TensorTotals>> {
  const names = [...new Set(entries.map(({ dtype }) => dtype))].sort();
  return Object.fromEntries(
    names.map((name) => [name, totals(entries.filter(({ dtype }) => dtype === name))]),
  );
}

function summary(
  path: string,
  kind: CheckpointReport["kind"],
  components: readonly ComponentReport[],
): CheckpointReport {
  const sum = (key: keyof TensorTotals) => components.reduce((all, one) => all + one[key], 0);
  const all = { tensors: sum("tensors"), elements: sum("elements"), bytes: sum("bytes") };
  return { path, kind, pipeline: null, components, ...all };
}
