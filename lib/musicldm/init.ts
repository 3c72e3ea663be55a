import { join, resolve } from "node:path";
import { parseAutoencoderConfig } from "../checkpoint/config/autoencoder.js";
import { parseClapConfig } from "../checkpoint/config/clap.js";
import { parseUNetConfig } from "../checkpoint/config/unet.js";
import { parseVocoderConfig } from "../checkpoint/config/vocoder.js";
import { writeFolder, writeJson } from "../checkpoint/draft.js";
import { inspectCheckpoint, writeSafetensors } from "../checkpoint/index.js";
import { byteTokenizerNotice, writeByteTokenizer } from "../clap/byte-tokenizer.js";
import { writeClapWeights } from "../clap/initial-weights.js";
import { Module } from "../nn/module.js";
import type { CallOptions } from "../runtime/abort.js";
import { expected } from "../runtime/errors.js";
import { call, throwIfAborted } from "../runtime/native.js";
import type { NativeReference } from "../runtime/native.js";
import { modelIndex } from "./index-file.js";
import { presetNames, presets } from "./presets.js";
import type { Preset, PresetName } from "./presets.js";

export interface InitOptions extends CallOptions {
  readonly preset: PresetName;
  /** Where the folder is made; its parents are made as well. */
  readonly folder: string;
  /** Integer in 0..2^53 − 1; the same seed gives the same weights. */
  readonly seed: number;
  /** Replace the model files of a folder that is not empty; other files stay. Default false. */
  readonly force?: boolean | undefined;
}

export interface InitResult {
  readonly folder: string;
  readonly preset: PresetName;
  readonly seed: number;
  /** Elements of all weight tensors. */
  readonly elements: number;
  readonly bytes: number;
  /** What to tell the user about such a model. */
  readonly notice: string;
}

const notice =
  "The weights are random: this model makes noise, whatever the prompt. " + byteTokenizerNotice;

/** Everything that a folder is made of, written in this order. */
type Writer = (folder: string, preset: Preset, options: InitOptions) => Promise<void>;

const writers: Readonly<Record<string, Writer>> = {
  text_encoder: writeTextEncoder,
  unet: writeUNet,
  vae: writeAutoencoder,
  vocoder: writeVocoder,
  tokenizer: (folder) => writeByteTokenizer(join(folder, "tokenizer")),
  scheduler: (folder, preset) =>
    writeJson(join(folder, "scheduler"), "scheduler_config.json", preset.scheduler),
  feature_extractor: async (folder, { extractor }) => {
    if (extractor === null) return;
    await writeJson(join(folder, "feature_extractor"), "preprocessor_config.json", extractor);
  },
  index: writeIndex,
};

/**
 * Write a randomly initialised model in the folder layout of diffusers, with the initialisers of
 * the reference classes. Nothing appears under `folder` before everything is written.
 *
 * Errors: `E_ARGUMENT`, `E_IO` (the folder is not empty, no space, …), `E_ABORTED`.
 */
export async function initPretrained(options: InitOptions): Promise<InitResult> {
  const preset = choosePreset(options.preset);
  if (!Number.isSafeInteger(options.seed) || options.seed < 0) {
    throw expected("E_ARGUMENT", "an integer in 0..2^53 - 1", "seed", options.seed);
  }
  if (typeof options.folder !== "string" || options.folder === "") {
    throw expected("E_ARGUMENT", "a path", "folder", options.folder);
  }
  const folder = resolve(options.folder);
  return writeFolder(folder, options.force === true, async (draft) => {
    await writeParts(draft, preset, options);
    const { elements, bytes } = await inspectCheckpoint(draft);
    throwIfAborted(options.signal);
    const { preset: name, seed } = options;
    return { folder, preset: name, seed, elements, bytes, notice };
  });
}

function choosePreset(name: string): Preset {
  const known = presetNames.find((preset) => preset === name);
  if (known !== undefined) return presets[known];
  throw expected("E_ARGUMENT", presetNames.join(", "), "preset", name);
}

async function writeParts(draft: string, preset: Preset, options: InitOptions): Promise<void> {
  const parts = Object.entries(writers);
  for (const [step, [, write]] of parts.entries()) {
    throwIfAborted(options.signal);
    await write(draft, preset, options);
    options.onProgress?.({ stage: "init", step: step + 1, totalSteps: parts.length });
  }
}

async function writeIndex(folder: string, preset: Preset): Promise<void> {
  await writeJson(folder, "model_index.json", modelIndex(preset));
}

/** transformers refuses a file without this. */
const metadata = { format: "pt" };

/** A seed of its own for each part, so that no two parts draw the same numbers. */
function partSeed(seed: number, part: number): number {
  return (seed + part * 0x9e3779b1) % Number.MAX_SAFE_INTEGER;
}

async function writeTextEncoder(
  folder: string,
  preset: Preset,
  { seed, signal }: InitOptions,
): Promise<void> {
  const target = join(folder, "text_encoder");
  await writeJson(target, "config.json", preset.textEncoder);
  const file = join(target, "config.json");
  const { config } = parseClapConfig(preset.textEncoder, file, preset.textClass);
  const path = join(target, "model.safetensors");
  await writeClapWeights(path, config, { seed: partSeed(seed, 0), signal });
}

async function writeUNet(folder: string, preset: Preset, options: InitOptions): Promise<void> {
  const target = join(folder, "unet");
  await writeJson(target, "config.json", preset.unet);
  const { config } = parseUNetConfig(preset.unet, join(target, "config.json"));
  const path = join(target, "diffusion_pytorch_model.safetensors");
  await writeModule({ op: "unet.create", config, path, part: 1 }, options);
}

async function writeAutoencoder(
  folder: string,
  preset: Preset,
  options: InitOptions,
): Promise<void> {
  const target = join(folder, "vae");
  await writeJson(target, "config.json", preset.vae);
  const { config } = parseAutoencoderConfig(preset.vae, join(target, "config.json"));
  const path = join(target, "diffusion_pytorch_model.safetensors");
  await writeModule({ op: "vae.create", config, path, part: 2 }, options);
}

async function writeVocoder(folder: string, preset: Preset, options: InitOptions): Promise<void> {
  const target = join(folder, "vocoder");
  await writeJson(target, "config.json", preset.vocoder);
  const { config } = parseVocoderConfig(preset.vocoder, join(target, "config.json"));
  const path = join(target, "model.safetensors");
  await writeModule({ op: "vocoder.create", config, path, part: 3 }, options);
}

interface ModuleFile {
  /** The op that builds the module from its configuration. */
  readonly op: string;
  readonly config: unknown;
  readonly path: string;
  /** Which part of the model it is, for its seed. */
  readonly part: number;
}

/** A network of which nothing but its parameters matters here. */
class FreshModule extends Module {
  static async create(op: string, config: unknown): Promise<FreshModule> {
    return new FreshModule((await call<NativeReference>(op, [config])).handle);
  }
}

/** Build a native module, initialise it and write its parameters. */
async function writeModule(
  { op, config, path, part }: ModuleFile,
  { seed, signal }: InitOptions,
): Promise<void> {
  using module = await FreshModule.create(op, config);
  await module.initialise(partSeed(seed, part));
  const tensors = await module.state();
  try {
    await writeSafetensors(path, tensors, metadata, { signal });
  } finally {
    for (const tensor of Object.values(tensors)) tensor.dispose();
  }
}
