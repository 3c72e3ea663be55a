import { openFolder, weightsHash } from "../checkpoint/index.js";
import type { Component, ModelFolder } from "../checkpoint/index.js";
import { TextEncoder } from "../clap/text-encoder.js";
import { TextTower } from "../clap/text-tower.js";
import { TextTokenizer } from "../clap/tokenizer.js";
import { parseSchedulerConfig } from "../diffusion/scheduler-config.js";
import type { SchedulerConfig } from "../diffusion/scheduler-config.js";
import { UNet } from "../diffusion/unet.js";
import { Autoencoder } from "../latent/autoencoder.js";
import { Vocoder } from "../latent/vocoder.js";
import type { Module } from "../nn/module.js";
import { checkPlace, fillModule, requireKnown } from "../nn/open.js";
import type { InferencePlace } from "../nn/open.js";
import type { CallOptions } from "../runtime/abort.js";
import { expected } from "../runtime/errors.js";
import type { LoadOptions } from "./types.js";

/** Everything that a model folder holds, opened. */
export interface Networks extends InferencePlace {
  readonly folder: ModelFolder;
  /** SHA-256 that identifies the weights, taken when the folder was opened. */
  readonly weightsHash: string;
  readonly scheduler: SchedulerConfig;
  readonly textEncoder: TextEncoder;
  readonly unet: UNet;
  readonly vae: Autoencoder;
  readonly vocoder: Vocoder;
}

/** Open a folder and fill its networks. Errors: those of `MusicLDM.fromPretrained`. */
export async function openNetworks(
  path: string,
  options: LoadOptions & CallOptions,
): Promise<Networks> {
  requireKnown(options, optionNames);
  const { attentionHeads = "config", signal } = options;
  const place = checkPlace(options);
  if (attentionHeads !== "config" && attentionHeads !== "trained") {
    throw expected("E_ARGUMENT", '"config" or "trained"', "attentionHeads", attentionHeads);
  }
  if (typeof path !== "string" || path === "") {
    throw expected("E_ARGUMENT", "the path of a model folder", "folder", path);
  }
  const folder = await openFolder(path, { attentionHeads });
  const scheduler = parseSchedulerConfig(folder.scheduler);
  const opened: Module[] = [];
  const open = async <T extends Module>(module: T, component: Component<unknown>): Promise<T> => {
    opened.push(module);
    await fillModule(module, component.weights, place, { signal });
    return module;
  };
  try {
    const { config } = folder.textEncoder;
    const tower = await open(await TextTower.create(config.text), folder.textEncoder);
    const { model_type: type } = config.text;
    const tokenizer = await TextTokenizer.load(folder.tokenizer, tower.maxTokens, type);
    const unet = await open(await UNet.create(folder.unet.config), folder.unet);
    const vae = await open(await Autoencoder.create(folder.vae.config), folder.vae);
    const vocoder = await open(await Vocoder.create(folder.vocoder.config), folder.vocoder);
    const textEncoder = new TextEncoder(tower, tokenizer);
    const networks = { folder, textEncoder, unet, vae, vocoder, scheduler, ...place };
    return { ...networks, weightsHash: await weightsHash(folder, { signal }) };
  } catch (error) {
    for (const module of opened) module.dispose();
    throw error;
  }
}

const optionNames = ["device", "dtype", "attentionHeads", "packing", "signal", "onProgress"];
