import { join } from "node:path";
import { z } from "zod";
import { expected } from "../runtime/errors.js";
import { parseAutoencoderConfig } from "./config/autoencoder.js";
import type { AutoencoderConfig } from "./config/autoencoder.js";
import { parseClapConfig } from "./config/clap.js";
import type { ClapClass, ClapConfig } from "./config/clap.js";
import { parseExtractorConfig } from "./config/extractor.js";
import type { ExtractorConfig } from "./config/extractor.js";
import { throwProblems } from "./config/fields.js";
import type { Parsed, Problem } from "./config/fields.js";
import { parseUNetConfig } from "./config/unet.js";
import type { AttentionHeads, UNetConfig } from "./config/unet.js";
import { parseVocoderConfig } from "./config/vocoder.js";
import type { VocoderConfig } from "./config/vocoder.js";
import { readJson } from "./files.js";
import type { WeightFiles } from "./files.js";
import { findFiles, readIndex } from "./layout.js";
import type { ComponentName, PipelineName } from "./layout.js";

/** A network of the folder: what builds it and where its weights lie. */
export interface Component<T> {
  readonly name: ComponentName;
  /** The Python class that the folder names. */
  readonly className: string;
  readonly config: T;
  /** Keys of its config file that the class does not have. */
  readonly unknownKeys: readonly string[];
  readonly weights: WeightFiles;
}

/** A model in the folder layout of diffusers, validated; no weights are loaded yet. */
export interface ModelFolder {
  readonly path: string;
  readonly pipeline: PipelineName;
  readonly textEncoder: Component<ClapConfig>;
  readonly unet: Component<UNetConfig>;
  readonly vae: Component<AutoencoderConfig>;
  readonly vocoder: Component<VocoderConfig>;
  /** The folder with `tokenizer.json`, or `vocab.json` and `merges.txt`. */
  readonly tokenizer: string;
  /** `scheduler_config.json` as it is; the noise schedule validates it. */
  readonly scheduler: Readonly<Record<string, unknown>>;
  /** How CLAP's audio input is made; absent from AudioLDM's folder. */
  readonly extractor: ExtractorConfig | null;
}

export interface FolderOptions {
  /** Take `*.<variant>.safetensors` files, such as `"fp16"`. */
  readonly variant?: string | undefined;
  readonly attentionHeads?: AttentionHeads | undefined;
}

/**
 * Read and validate a model folder in diffusers' layout (`ucsd-reach/musicldm`,
 * `cvssp/audioldm-s-full-v2`), without loading weights.
 *
 * Errors: `E_IO` (no such folder), `E_CHECKPOINT` (missing files, listed all together), `E_CONFIG`
 * (a class or a setting that is not implemented, named with its value and file).
 */
export async function openFolder(path: string, options: FolderOptions = {}): Promise<ModelFolder> {
  const index = await readIndex(path);
  const files = await findFiles(path, index, options.variant);
  const component = async <T>(name: ComponentName, parse: Parser<T>): Promise<Component<T>> => {
    const file = join(path, name, "config.json");
    const parsed = parse(await readJson(file), file);
    return { name, className: index.classes[name], weights: files[name], ...parsed };
  };
  const textClass = index.classes.text_encoder as ClapClass;
  const folder: ModelFolder = {
    path,
    pipeline: index.pipeline,
    textEncoder: await component("text_encoder", (json, file) =>
      parseClapConfig(json, file, textClass),
    ),
    unet: await component("unet", (json, file) =>
      parseUNetConfig(json, file, options.attentionHeads),
    ),
    vae: await component("vae", parseAutoencoderConfig),
    vocoder: await component("vocoder", parseVocoderConfig),
    tokenizer: join(path, "tokenizer"),
    scheduler: await readScheduler(join(path, "scheduler", "scheduler_config.json")),
    extractor: index.hasExtractor ? await readExtractor(path) : null,
  };
  throwProblems(path, fitProblems(folder));
  return folder;
}

type Parser<T> = (json: unknown, file: string) => Parsed<T>;

async function readScheduler(file: string): Promise<Readonly<Record<string, unknown>>> {
  const json = await readJson(file);
  const parsed = z.record(z.string(), z.unknown()).safeParse(json);
  if (!parsed.success) throw expected("E_CONFIG", "an object", file, json, { file });
  return parsed.data;
}

async function readExtractor(path: string): Promise<ExtractorConfig> {
  const file = join(path, "feature_extractor", "preprocessor_config.json");
  return parseExtractorConfig(await readJson(file), file).config;
}

/** Sizes in which the networks of the chain have to agree. */
function fitProblems({ textEncoder, unet, vae, vocoder }: ModelFolder): readonly Problem[] {
  const problems: Problem[] = [];
  const need = (key: string, value: number, wanted: number, reason: string): void => {
    if (value !== wanted) problems.push({ key, expected: `${wanted}, ${reason}`, value });
  };
  const { latent_channels: latent } = vae.config;
  need("unet in_channels", unet.config.in_channels, latent, "the VAE's latent_channels");
  need("unet out_channels", unet.config.out_channels, latent, "the VAE's latent_channels");
  need("vae in_channels", vae.config.in_channels, 1, "a log-mel spectrogram");
  need("vae out_channels", vae.config.out_channels, 1, "a log-mel spectrogram");
  const embedding = unet.config.projection_class_embeddings_input_dim;
  const projection = textEncoder.config.text.projection_dim;
  const key = "unet projection_class_embeddings_input_dim";
  need(key, embedding, projection, "the text encoder's projection_dim");
  const scale = 2 ** (vae.config.block_out_channels.length - 1);
  const bins = vocoder.config.model_in_dim;
  if (bins % scale !== 0) {
    const wanted = `a multiple of ${scale}, the VAE's downsampling`;
    problems.push({ key: "vocoder model_in_dim", expected: wanted, value: bins });
  }
  return problems;
}
