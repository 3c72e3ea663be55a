import { readdir, readFile, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { z } from "zod";
import { expected, MusicLDMError, toMusicLDMError } from "../runtime/errors.js";
import { Checkpoint } from "./checkpoint.js";
import { parsePythonJson } from "./python-json.js";

/** Beyond this a JSON file is not a configuration. */
const maxJsonBytes = 64 * 1024 * 1024;

/** How the weight files of a component are called: transformers' way or diffusers'. */
export type WeightStem = "model" | "diffusion_pytorch_model";

/** Tell whether a path is an existing regular file. Errors: `E_IO` other than absence. */
export async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return false;
    throw toMusicLDMError(error);
  }
}

/** Parse a JSON file. Errors: `E_IO`, and `E_CONFIG` where it is no JSON. */
export async function readJson(path: string): Promise<unknown> {
  let text: string;
  try {
    const { size } = await stat(path);
    if (size > maxJsonBytes) {
      throw expected("E_CONFIG", `at most ${maxJsonBytes} bytes`, path, size, { file: path });
    }
    text = await readFile(path, "utf8");
  } catch (error) {
    throw toMusicLDMError(error);
  }
  try {
    return parsePythonJson(text);
  } catch (cause) {
    const message = `Expected JSON in ${path} but received something else`;
    throw new MusicLDMError("E_CONFIG", message, { file: path, cause });
  }
}

const shardIndex = z.object({ weight_map: z.record(z.string(), z.string()) });

/** The files that a shard index names, each once, and which tensor it expects in which. */
interface Shards {
  readonly paths: readonly string[];
  readonly weightMap: Readonly<Record<string, string>>;
}

async function readShards(indexPath: string): Promise<Shards> {
  const parsed = shardIndex.safeParse(await readJson(indexPath));
  if (!parsed.success) {
    const what = "a weight_map of tensor names to file names";
    throw expected("E_CHECKPOINT", what, indexPath, "something else", { file: indexPath });
  }
  const weightMap = parsed.data.weight_map;
  const names = [...new Set(Object.values(weightMap))].sort();
  for (const name of names) {
    // A bare name: an index must not lead out of its folder.
    const isBare = name === basename(name) && !name.includes("\\");
    if (isBare && /\.(safetensors|bin)$/.test(name)) continue;
    const what = "the name of a .safetensors or .bin file beside the index";
    throw expected("E_CHECKPOINT", what, `weight_map in ${indexPath}`, name, { file: indexPath });
  }
  return { paths: names.map((name) => join(dirname(indexPath), name)), weightMap };
}

/** Where the weights of a component lie. */
export interface WeightFiles {
  readonly paths: readonly string[];
  /** The shard index that named them, if any. */
  readonly index: string | null;
}

/** What stands in the way of finding the weights: absent files, or a reason. */
export interface MissingWeights {
  readonly missing: readonly string[];
  readonly hint: string | null;
}

/** The shards that an index names. Errors: `E_IO`, `E_CONFIG` (no JSON), `E_CHECKPOINT`. */
export async function shardFiles(indexPath: string): Promise<WeightFiles> {
  const { paths } = await readShards(indexPath);
  return { paths, index: indexPath };
}

/** What transformers and diffusers call weights, the single file and the shard index. */
function fileNames(stem: WeightStem, variant: string | undefined): readonly [string, string][] {
  const dot = variant === undefined ? "" : `.${variant}`;
  const pickled = stem === "model" ? "pytorch_model" : stem;
  return [
    [`${stem}${dot}.safetensors`, `${stem}.safetensors.index${dot}.json`],
    [`${pickled}${dot}.bin`, `${pickled}.bin.index${dot}.json`],
  ];
}

/**
 * Find the weights of a component, in one file or in shards; safetensors come before pickled ones.
 *
 * Errors: `E_IO`, `E_CHECKPOINT`.
 */
export async function findWeights(
  folder: string,
  stem: WeightStem,
  variant?: string,
): Promise<WeightFiles | MissingWeights> {
  const candidates = fileNames(stem, variant);
  for (const [single, index] of candidates) {
    const path = join(folder, single);
    if (await isFile(path)) return { paths: [path], index: null };
    const indexPath = join(folder, index);
    if (await isFile(indexPath)) return presentShards(indexPath);
  }
  const [[wanted] = [""]] = candidates;
  return { missing: [join(folder, wanted)], hint: await otherWeights(folder) };
}

async function presentShards(indexPath: string): Promise<WeightFiles | MissingWeights> {
  const { paths } = await shardFiles(indexPath);
  const present = await Promise.all(paths.map(isFile));
  const missing = paths.filter((_, i) => !present[i]);
  return missing.length === 0 ? { paths, index: indexPath } : { missing, hint: null };
}

/** Say which other weights a folder has, so that the error can tell what to do. */
async function otherWeights(folder: string): Promise<string | null> {
  const names = await readdir(folder).catch((): string[] => []);
  const variant = names.find((name) => /^\w+\.[^.]+\.(safetensors|bin)$/.test(name));
  if (variant !== undefined) return `${variant} is there: pass its variant`;
  const pickle = names.find((name) => /\.(bin|pt|pth|ckpt)$/.test(name));
  if (pickle === undefined) return null;
  return `only ${pickle} is there: convert it to this layout first (musicldm convert)`;
}

/** Open the weights of a component. Errors: `E_IO`, `E_CHECKPOINT`. */
export async function openWeights({ paths, index }: WeightFiles): Promise<Checkpoint> {
  const checkpoint = await Checkpoint.open(paths);
  if (index === null) return checkpoint;
  try {
    await checkIndex(checkpoint, index);
    return checkpoint;
  } catch (error) {
    checkpoint.dispose();
    throw error;
  }
}

/** Every tensor of the index has to be in the shard that the index names. */
async function checkIndex(checkpoint: Checkpoint, index: string): Promise<void> {
  const { weightMap } = await readShards(index);
  const actual = new Map(
    checkpoint.entries.map(({ name, file }) => [name, basename(checkpoint.paths[file] ?? "")]),
  );
  const wrong = Object.entries(weightMap).filter(([name, file]) => actual.get(name) !== file);
  if (wrong.length === 0) return;
  const lines = wrong.map(
    ([name, file]) => `  ${name}: in ${actual.get(name) ?? "no file"}, not ${file}`,
  );
  const message = `Expected the tensors where ${index} says but received\n${lines.join("\n")}`;
  const names = wrong.map(([name]) => name);
  throw new MusicLDMError("E_CHECKPOINT", message, { file: index, names });
}
