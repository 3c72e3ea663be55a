import { createHash } from "node:crypto";
import { hashParts } from "../checkpoint/hash.js";
import { openWeights } from "../checkpoint/index.js";
import type { ClapFolder } from "../checkpoint/clap-folder.js";
import type { WeightFiles } from "../checkpoint/index.js";
import type { Module } from "../nn/module.js";
import { fillModule } from "../nn/open.js";
import type { InferencePlace } from "../nn/open.js";
import type { CallOptions } from "../runtime/abort.js";
import { AudioEncoder } from "./audio-encoder.js";
import { AudioTower } from "./audio-tower.js";
import { ClapFeatureExtractor } from "./feature-extractor.js";
import { TextEncoder } from "./text-encoder.js";
import { TextTower } from "./text-tower.js";
import { TextTokenizer } from "./tokenizer.js";

/** Both sides of a CLAP, opened. */
export interface ClapParts {
  readonly folder: ClapFolder;
  readonly text: TextEncoder;
  readonly audio: AudioEncoder;
  /** What cosines are multiplied by: exp of `logit_scale_a` and `logit_scale_t`. */
  readonly scales: Scales;
  /** Identifies what decides the embeddings: SHA-256 of weights and mel settings, hexadecimal. */
  readonly fingerprint: string;
}

interface Scales {
  readonly audio: number;
  readonly text: number;
}

interface PartOptions extends CallOptions {
  /** Send samples through 16-bit integers first. */
  readonly quantise?: boolean | undefined;
  /** A text encoder that is open already. */
  readonly text?: TextEncoder | undefined;
}

/**
 * Open both towers, or the audio tower beside a text encoder that is open already.
 *
 * Errors: `E_IO`, `E_CHECKPOINT`, `E_CONFIG`, `E_ABORTED`.
 */
export async function openParts(
  folder: ClapFolder,
  place: InferencePlace,
  { quantise = false, text, ...options }: PartOptions = {},
): Promise<ClapParts> {
  const { config, weights, extractor, tokenizer } = folder;
  const opened: Module[] = [];
  const open = async <T extends Module>(module: T): Promise<T> => {
    opened.push(module);
    await fillModule(module, weights, place, options);
    return module;
  };
  try {
    const scales = await readScales(weights);
    const fingerprint = await identify(folder, quantise, options);
    const tower = await open(await AudioTower.create(config.audio));
    const audio = new AudioEncoder(tower, new ClapFeatureExtractor(extractor, { quantise }), place);
    if (text) return { folder, text, audio, scales, fingerprint };
    const textTower = await open(await TextTower.create(config.text));
    const { model_type: type } = config.text;
    const tokens = await TextTokenizer.load(tokenizer, textTower.maxTokens, type);
    return { folder, text: new TextEncoder(textTower, tokens), audio, scales, fingerprint };
  } catch (error) {
    for (const module of opened) module.dispose();
    throw error;
  }
}

async function identify(
  { weights, extractor }: ClapFolder,
  quantise: boolean,
  { signal }: CallOptions,
): Promise<string> {
  const hash = await hashParts([{ name: "clap", weights }], { signal });
  const entries = Object.entries({ ...extractor, quantise });
  const settings = entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash("sha256").update(hash).update(JSON.stringify(settings)).digest("hex");
}

async function readScales(weights: WeightFiles): Promise<Scales> {
  using checkpoint = await openWeights(weights);
  const read = async (name: string): Promise<number> => {
    using scale = await checkpoint.tensor(name, { dtype: "float32" });
    return Math.exp(await scale.item());
  };
  return { audio: await read("logit_scale_a"), text: await read("logit_scale_t") };
}
