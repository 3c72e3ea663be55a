import { openFolder, openWeights, weightsHash } from "../checkpoint/index.js";
import type { Component } from "../checkpoint/index.js";
import { TextEncoder } from "../clap/text-encoder.js";
import { TextTower } from "../clap/text-tower.js";
import { TextTokenizer } from "../clap/tokenizer.js";
import { parseSchedulerConfig } from "../diffusion/scheduler-config.js";
import type { SchedulerConfig } from "../diffusion/scheduler-config.js";
import { UNet } from "../diffusion/unet.js";
import { Autoencoder } from "../latent/autoencoder.js";
import { Vocoder } from "../latent/vocoder.js";
import { packings } from "../nn/module.js";
import type { Module, Packing } from "../nn/module.js";
import type { CallOptions } from "../runtime/abort.js";
import { requireDevice } from "../runtime/devices.js";
import { expected } from "../runtime/errors.js";
import type { DType } from "../runtime/native.js";
import type { LoadOptions } from "./types.js";

/** Everything that a model folder holds, opened. */
export interface Networks {
  /** SHA-256 that identifies the weights, taken when the folder was opened. */
  readonly weightsHash: string;
  readonly scheduler: SchedulerConfig;
  readonly textEncoder: TextEncoder;
  readonly unet: UNet;
  readonly vae: Autoencoder;
  readonly vocoder: Vocoder;
  readonly device: string;
  readonly dtype: DType;
}

const dtypes = ["float32", "float16", "bfloat16"] as const;

/** Open a folder and fill its networks. Errors: those of `MusicLDM.fromPretrained`. */
export async function openNetworks(
  path: string,
  options: LoadOptions & CallOptions,
): Promise<Networks> {
  requireKnown(options);
  const { device = "cpu", dtype = "float32", attentionHeads = "config", signal } = options;
  const packing = checkPacking(options.packing);
  if (!dtypes.includes(dtype)) {
    throw expected("E_ARGUMENT", `one of ${dtypes.join(", ")}`, "dtype", dtype);
  }
  if (attentionHeads !== "config" && attentionHeads !== "trained") {
    throw expected("E_ARGUMENT", '"config" or "trained"', "attentionHeads", attentionHeads);
  }
  requireDevice(device);
  if (typeof path !== "string" || path === "") {
    throw expected("E_ARGUMENT", "the path of a model folder", "folder", path);
  }
  const folder = await openFolder(path, { attentionHeads });
  const scheduler = parseSchedulerConfig(folder.scheduler);
  const place = { device, dtype, packing, signal };
  const opened: Module[] = [];
  const open = async <T extends Module>(module: T, component: Component<unknown>): Promise<T> => {
    opened.push(module);
    await fill(module, component, place);
    return module;
  };
  try {
    const { config } = folder.textEncoder;
    const tower = await open(await TextTower.create(config.text), folder.textEncoder);
    const tokenizer = await TextTokenizer.load(folder.tokenizer, tower.maxTokens);
    const unet = await open(await UNet.create(folder.unet.config), folder.unet);
    const vae = await open(await Autoencoder.create(folder.vae.config), folder.vae);
    const vocoder = await open(await Vocoder.create(folder.vocoder.config), folder.vocoder);
    const textEncoder = new TextEncoder(tower, tokenizer);
    const networks = { textEncoder, unet, vae, vocoder, scheduler, device, dtype };
    return { ...networks, weightsHash: await weightsHash(folder, { signal }) };
  } catch (error) {
    for (const module of opened) module.dispose();
    throw error;
  }
}

const optionNames = ["device", "dtype", "attentionHeads", "packing", "signal", "onProgress"];

function checkPacking(packing: Packing = "fast"): Packing {
  if (packings.includes(packing)) return packing;
  throw expected("E_ARGUMENT", `one of ${packings.join(", ")}`, "packing", packing);
}

function requireKnown(options: object): void {
  const unknown = Object.keys(options).filter((name) => !optionNames.includes(name));
  if (unknown.length === 0) return;
  throw expected("E_ARGUMENT", "known options", "options", unknown.join(", "));
}

interface Place extends CallOptions {
  readonly device: string;
  readonly dtype: DType;
  readonly packing: Packing;
}

async function fill(
  module: Module,
  component: Component<unknown>,
  { device, dtype, packing, signal }: Place,
): Promise<void> {
  using checkpoint = await openWeights(component.weights);
  await module.load(checkpoint, { dtype, ...(signal && { signal }) });
  await module.eval();
  await module.pack(packing);
  if (device !== "cpu") await module.to({ device });
}
