import { stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { expected, MusicLDMError, toMusicLDMError } from "../runtime/errors.js";
import { findWeights, isFile, readJson } from "./files.js";
import type { WeightFiles, WeightStem } from "./files.js";

/** The components with weights, in the order in which a prompt meets them. */
export const componentNames = ["text_encoder", "unet", "vae", "vocoder"] as const;
export type ComponentName = (typeof componentNames)[number];

const pipelineNames = ["MusicLDMPipeline", "AudioLDMPipeline"] as const;
export type PipelineName = (typeof pipelineNames)[number];

/** The classes that each component may be. */
const componentClasses: Readonly<Record<ComponentName, readonly string[]>> = {
  text_encoder: ["ClapModel", "ClapTextModelWithProjection"],
  unet: ["UNet2DConditionModel"],
  vae: ["AutoencoderKL"],
  vocoder: ["SpeechT5HifiGan"],
};

/** How the weight files of each component are called. */
export const weightStems: Readonly<Record<ComponentName, WeightStem>> = {
  text_encoder: "model",
  unet: "diffusion_pytorch_model",
  vae: "diffusion_pytorch_model",
  vocoder: "model",
};

export const indexName = "model_index.json";

/** What `model_index.json` says. */
export interface ModelIndex {
  readonly file: string;
  readonly pipeline: PipelineName;
  readonly classes: Readonly<Record<ComponentName, string>>;
  readonly hasExtractor: boolean;
}

const classEntry = z.tuple([z.string().nullable(), z.string().nullable()]);

/** Read `model_index.json`. Errors: `E_IO` (no such folder), `E_CHECKPOINT`, `E_CONFIG`. */
export async function readIndex(folder: string): Promise<ModelIndex> {
  await requireFolder(folder);
  const file = join(folder, indexName);
  if (!(await isFile(file))) {
    const what = `a model folder with ${indexName}`;
    throw expected("E_CHECKPOINT", what, "folder", folder, { files: [file] });
  }
  const json = await readJson(file);
  const entries = z.record(z.string(), z.unknown()).safeParse(json);
  if (!entries.success) throw expected("E_CONFIG", "an object", file, json, { file });
  const name = entries.data["_class_name"];
  const pipeline = pipelineNames.find((known) => known === name);
  if (pipeline === undefined) {
    const what = pipelineNames.join(" or ");
    throw expected("E_CONFIG", what, `_class_name in ${file}`, name, { file });
  }
  const extractor = classEntry.safeParse(entries.data["feature_extractor"]);
  return {
    file,
    pipeline,
    classes: readClasses(entries.data, file),
    hasExtractor: extractor.success && extractor.data[1] !== null,
  };
}

/** Make sure that a folder is there. Errors: `E_IO`. */
export async function requireFolder(folder: string): Promise<void> {
  try {
    if ((await stat(folder)).isDirectory()) return;
  } catch (error) {
    throw toMusicLDMError(error);
  }
  throw expected("E_IO", "a folder", "path", folder, { path: folder });
}

function readClasses(
  entries: Readonly<Record<string, unknown>>,
  file: string,
): Readonly<Record<ComponentName, string>> {
  const classes = componentNames.map((name) => {
    const entry = classEntry.safeParse(entries[name]);
    const className = entry.success ? entry.data[1] : null;
    const known = componentClasses[name];
    if (className !== null && known.includes(className)) return [name, className] as const;
    throw expected("E_CONFIG", known.join(" or "), `${name} in ${file}`, entries[name], { file });
  });
  return Object.fromEntries(classes) as Record<ComponentName, string>;
}

/**
 * Find every file that the folder has to have. Errors: `E_CHECKPOINT` listing all absent ones, with
 * the reason where other weights are present.
 */
export async function findFiles(
  folder: string,
  index: ModelIndex,
  variant?: string,
): Promise<Readonly<Record<ComponentName, WeightFiles>>> {
  const missing: string[] = await missingSettings(folder, index);
  const files: string[] = [...missing];
  const found = new Map<ComponentName, WeightFiles>();
  for (const name of componentNames) {
    const weights = await findWeights(join(folder, name), weightStems[name], variant);
    if ("paths" in weights) {
      found.set(name, weights);
      continue;
    }
    files.push(...weights.missing);
    const hint = weights.hint === null ? "" : ` (${weights.hint})`;
    missing.push(...weights.missing.map((path) => path + hint));
  }
  if (missing.length > 0) {
    const lines = missing.map((path) => `  ${path}`).join("\n");
    const message = `Expected a complete model in ${folder} but these files are missing:\n${lines}`;
    throw new MusicLDMError("E_CHECKPOINT", message, { files });
  }
  return Object.fromEntries(found) as Record<ComponentName, WeightFiles>;
}

async function missingSettings(folder: string, index: ModelIndex): Promise<string[]> {
  const required = [
    ...componentNames.map((name) => join(folder, name, "config.json")),
    join(folder, "scheduler", "scheduler_config.json"),
    ...(index.hasExtractor ? [join(folder, "feature_extractor", "preprocessor_config.json")] : []),
  ];
  const tokenizer = join(folder, "tokenizer");
  const pair = [join(tokenizer, "vocab.json"), join(tokenizer, "merges.txt")];
  const hasTokenizer = await isFile(join(tokenizer, "tokenizer.json"));
  const all = hasTokenizer ? required : [...required, ...pair];
  const present = await Promise.all(all.map(isFile));
  return all.filter((_, i) => !present[i]);
}
