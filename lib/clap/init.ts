import { join, resolve } from "node:path";
import { writeFolder, writeJson } from "../checkpoint/draft.js";
import { inspectCheckpoint } from "../checkpoint/index.js";
import { parseClapConfig } from "../checkpoint/config/clap.js";
import type { CallOptions } from "../runtime/abort.js";
import { requireOptions } from "../runtime/arguments.js";
import { expected } from "../runtime/errors.js";
import { throwIfAborted } from "../runtime/native.js";
import { byteTokenizerNotice, writeByteTokenizer } from "./byte-tokenizer.js";
import { writeClapWeights } from "./initial-weights.js";
import { clapPresetNames, clapPresets } from "./presets.js";
import type { ClapPreset, ClapPresetName } from "./presets.js";

export interface InitClapOptions extends CallOptions {
  readonly preset: ClapPresetName;
  /** Where the folder is made; its parents are made as well. */
  readonly folder: string;
  /** Integer in 0..2^53 − 1; the same seed gives the same weights. */
  readonly seed: number;
  /** Replace the model files of a folder that is not empty; other files stay. Default false. */
  readonly force?: boolean | undefined;
}

export interface InitClapResult {
  readonly folder: string;
  readonly preset: ClapPresetName;
  readonly seed: number;
  /** Elements of all weight tensors. */
  readonly elements: number;
  readonly bytes: number;
  /** What to tell the user about such a model. */
  readonly notice: string;
}

const notice =
  "The weights are random: its embeddings of sounds and of texts have nothing to do with each " +
  `other. ${byteTokenizerNotice}`;

/**
 * Write a randomly initialised CLAP in the folder layout of transformers (`ClapModel`), tokenizer
 * and `preprocessor_config.json` included. Nothing appears under `folder` before everything is
 * written.
 *
 * Errors: `E_ARGUMENT`, `E_IO` (the folder is not empty, no space, …), `E_ABORTED`.
 */
export async function initClap(options: InitClapOptions): Promise<InitClapResult> {
  requireOptions(options);
  const { preset: name, seed } = options;
  const preset = choosePreset(name);
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw expected("E_ARGUMENT", "an integer in 0..2^53 - 1", "seed", seed);
  }
  if (typeof options.folder !== "string" || options.folder === "") {
    throw expected("E_ARGUMENT", "a path", "folder", options.folder);
  }
  const folder = resolve(options.folder);
  return writeFolder(folder, options.force === true, async (draft) => {
    await writeParts(draft, preset, options);
    const { elements, bytes } = await inspectCheckpoint(draft);
    throwIfAborted(options.signal);
    return { folder, preset: name, seed, elements, bytes, notice };
  });
}

function choosePreset(name: string): ClapPreset {
  const known = clapPresetNames.find((preset) => preset === name);
  if (known !== undefined) return clapPresets[known];
  throw expected("E_ARGUMENT", clapPresetNames.join(", "), "preset", name);
}

async function writeParts(
  draft: string,
  { model, extractor }: ClapPreset,
  { seed, signal, onProgress }: InitClapOptions,
): Promise<void> {
  const { config } = parseClapConfig(model, join(draft, "config.json"), "ClapModel");
  const parts = [
    () => writeJson(draft, "config.json", model),
    () => writeJson(draft, "preprocessor_config.json", extractor),
    () => writeByteTokenizer(draft),
    () => writeClapWeights(join(draft, "model.safetensors"), config, { seed, signal }),
  ];
  for (const [step, write] of parts.entries()) {
    throwIfAborted(signal);
    await write();
    onProgress?.({ stage: "init", step: step + 1, totalSteps: parts.length });
  }
}
