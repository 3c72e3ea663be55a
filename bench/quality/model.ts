import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { readSafetensors, writeSafetensors } from "../../lib/checkpoint/index.js";
import { createSolverSchedule } from "../../lib/diffusion/plan.js";
import { parseSchedulerConfig } from "../../lib/diffusion/scheduler-config.js";
import type { UNet } from "../../lib/diffusion/unet.js";
import type { Autoencoder } from "../../lib/latent/autoencoder.js";
import type { NamedTensors } from "../../lib/nn/module.js";
import { presets } from "../../lib/musicldm/presets.js";
import { cacheRoot } from "../../lib/runtime/paths.js";
import { createUNet, createVae, encodeData, trainUNet, trainVae } from "./train.js";
import type { Course } from "./train.js";

/** MusicLDM's noise schedule. */
export const schedulerConfig = parseSchedulerConfig(presets.musicldm.scheduler);

const examples = 4096;
const vaeCourse: Course = { steps: 500, rows: 8, rate: 3e-3 };

/** A small trained model: it denoises made-up log-mels. */
export interface TrainedModel extends Disposable {
  readonly unet: UNet;
  readonly vae: Autoencoder;
  /** Latents times this have unit variance. */
  readonly scale: number;
  /** Folder of what belongs to this model. */
  readonly folder: string;
}

function under(tensors: NamedTensors, prefix: string): NamedTensors {
  const own = Object.entries(tensors).filter(([name]) => name.startsWith(prefix));
  return Object.fromEntries(own.map(([name, tensor]) => [name.slice(prefix.length), tensor]));
}

function named(prefix: string, tensors: NamedTensors): NamedTensors {
  const entries = Object.entries(tensors);
  return Object.fromEntries(entries.map(([name, tensor]) => [prefix + name, tensor]));
}

/** Open the model that was trained for so many steps, or train it: some minutes on two cores. */
export async function openTrained(steps: number): Promise<TrainedModel> {
  const folder = join(cacheRoot(), "bench", `quality-${steps}`);
  const file = join(folder, "model.safetensors");
  if (!existsSync(file)) await train(file, { steps, rows: 16, rate: 2e-3 });
  using content = await readSafetensors(file);
  const [unet, vae] = [await createUNet(), await createVae()];
  await unet.load(under(content.tensors, "unet."));
  await vae.load(under(content.tensors, "vae."));
  const dispose = (): void => {
    unet.dispose();
    vae.dispose();
  };
  return {
    ...{ unet, vae, folder },
    scale: Number(content.metadata["scale"]),
    [Symbol.dispose]: dispose,
  };
}

async function train(file: string, course: Course): Promise<void> {
  using vae = await createVae();
  await trainVae(vae, vaeCourse);
  const data = await encodeData(vae, examples);
  using unet = await createUNet();
  await trainUNet(unet, data, createSolverSchedule(schedulerConfig, "euler"), course);
  data.latents.dispose();
  const tensors = {
    ...named("unet.", await unet.state()),
    ...named("vae.", await vae.state()),
  };
  await mkdir(dirname(file), { recursive: true });
  await writeSafetensors(file, tensors, { scale: String(data.scale) });
  for (const tensor of Object.values(tensors)) tensor.dispose();
}
