import { stat } from "node:fs/promises";
import { basename, join } from "node:path";
import type { CallOptions } from "../../runtime/abort.js";
import { expected, toMusicLDMError } from "../../runtime/errors.js";
import { Checkpoint } from "../checkpoint.js";
import { findWeights, isFile, openWeights, readJson } from "../files.js";
import { componentNames, indexName, weightStems } from "../layout.js";
import type { ComponentName } from "../layout.js";
import type { Json } from "./types.js";

/** The layouts that checkpoints are published in. */
export type LayoutName = "laion_clap" | "ldm" | "hifigan" | "huggingface";

/** What a checkpoint holds. */
export type ModelKind = "clap" | "pipeline" | "vocoder";

/** Tensors of one checkpoint by their names without what trainers put around them. */
export interface Source {
  readonly checkpoint: Checkpoint;
  /** Stored name by plain name. */
  readonly stored: ReadonlyMap<string, string>;
  /** Names of what lies beside the weights, such as an optimiser's state. */
  readonly outside: readonly string[];
  /** The `config.json` beside the weights of a published folder. */
  readonly config: Json | null;
}

/** An opened input: one checkpoint, or one for each component of a pipeline. */
export interface Input extends Disposable {
  readonly path: string;
  readonly layout: LayoutName;
  readonly kind: ModelKind;
  readonly isFolder: boolean;
  /** By component; `main` where there is one checkpoint. */
  readonly sources: Readonly<Partial<Record<ComponentName | "main", Source>>>;
}

/** Dictionaries and wrappers around the state dict of a network. */
const wrappers = ["state_dict.", "generator.", "module."];

/** Take the wrappers off: where some names have one, the others are no weights. */
export function unwrap(names: readonly string[]): Pick<Source, "stored" | "outside"> {
  let stored = new Map(names.map((name) => [name, name]));
  const outside: string[] = [];
  for (const wrapper of wrappers) {
    const inner = [...stored].filter(([name]) => name.startsWith(wrapper));
    if (inner.length === 0) continue;
    for (const [name, full] of stored) if (!name.startsWith(wrapper)) outside.push(full);
    stored = new Map(inner.map(([name, full]) => [name.slice(wrapper.length), full]));
  }
  return { stored, outside };
}

type Found = Pick<Input, "layout" | "kind">;

/** Names that only one layout has. */
const marks: readonly (readonly [RegExp, Found])[] = [
  [/^model\.diffusion_model\./, { layout: "ldm", kind: "pipeline" }],
  [/^(audio|text)_branch\./, { layout: "laion_clap", kind: "clap" }],
  [/^(audio|text)_model\./, { layout: "huggingface", kind: "clap" }],
  [/^ups\.0\./, { layout: "hifigan", kind: "vocoder" }],
  [/^upsampler\.0\./, { layout: "huggingface", kind: "vocoder" }],
];

/** Tell a layout by its names. Errors: `E_CHECKPOINT`. */
export function detectLayout(names: readonly string[], path: string): Found {
  for (const [pattern, found] of marks) {
    if (names.some((name) => pattern.test(name))) return found;
  }
  const what = "a CLAP, a MusicLDM or AudioLDM checkpoint, or a HiFi-GAN generator";
  const sample = names.slice(0, 4).join(", ");
  throw expected("E_CHECKPOINT", what, path, `${names.length} tensors: ${sample}`, { file: path });
}

/**
 * Open what is to be converted: a safetensors file, a file of `torch.save` or a folder.
 *
 * Errors: `E_IO`, `E_CHECKPOINT`, `E_CONFIG` (no JSON), `E_ABORTED`.
 */
export async function openInput(path: string, options: CallOptions = {}): Promise<Input> {
  const status = await stat(path).catch((error: unknown) => {
    throw toMusicLDMError(error);
  });
  if (!status.isDirectory()) return openOne(path, await Checkpoint.open(path, options), null);
  if (await isFile(join(path, indexName))) return openPipeline(path);
  const { checkpoint, config } = await openComponent(path, ["model", "diffusion_pytorch_model"]);
  return openOne(path, checkpoint, config);
}

function openOne(path: string, checkpoint: Checkpoint, config: Json | null): Input {
  const release = (): void => checkpoint.dispose();
  try {
    const { stored, outside } = unwrap(checkpoint.entries.map(({ name }) => name));
    const found = detectLayout([...stored.keys()], path);
    const beside = [...outside, ...[...checkpoint.extras().keys()].map(String)];
    const sources = { main: { checkpoint, stored, outside: beside, config } };
    return { path, ...found, isFolder: config !== null, sources, [Symbol.dispose]: release };
  } catch (error) {
    release();
    throw error;
  }
}

async function openPipeline(path: string): Promise<Input> {
  const opened = new Map<ComponentName, Source>();
  const release = (): void => opened.forEach(({ checkpoint }) => checkpoint.dispose());
  try {
    for (const name of componentNames) {
      const { checkpoint, config } = await openComponent(join(path, name), [weightStems[name]]);
      const stored = new Map(checkpoint.entries.map(({ name: each }) => [each, each]));
      opened.set(name, { checkpoint, stored, outside: [], config });
    }
  } catch (error) {
    release();
    throw error;
  }
  const sources = Object.fromEntries(opened);
  const found: Found = { layout: "huggingface", kind: "pipeline" };
  return { path, ...found, isFolder: true, sources, [Symbol.dispose]: release };
}

async function openComponent(
  folder: string,
  stems: readonly (typeof weightStems)[ComponentName][],
): Promise<{ readonly checkpoint: Checkpoint; readonly config: Json }> {
  const file = join(folder, "config.json");
  const config = (await isFile(file)) ? await readJson(file) : {};
  if (typeof config !== "object" || config === null) {
    throw expected("E_CONFIG", "an object", file, config, { file });
  }
  for (const stem of stems) {
    const weights = await findWeights(folder, stem);
    if ("paths" in weights)
      return { checkpoint: await openWeights(weights), config: config as Json };
  }
  const what = `weights in ${basename(folder)}`;
  throw expected("E_CHECKPOINT", what, "folder", folder, { folder });
}
