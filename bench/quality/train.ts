import { parseAutoencoderConfig } from "../../lib/checkpoint/config/autoencoder.js";
import { parseUNetConfig } from "../../lib/checkpoint/config/unet.js";
import type { NoiseSchedule } from "../../lib/diffusion/schedule.js";
import { UNet } from "../../lib/diffusion/unet.js";
import { Autoencoder } from "../../lib/latent/autoencoder.js";
import { presets } from "../../lib/musicldm/presets.js";
import { Tensor } from "../../lib/tensor/tensor.js";
import { Adam } from "./adam.js";
import { classCount, drawLabels, drawMels, labelWidth, pickRows } from "./data.js";
import { createRandom } from "./random.js";

/** How long a network is trained. */
export interface Course {
  readonly steps: number;
  readonly rows: number;
  /** Highest learning rate. */
  readonly rate: number;
}

const channels = [16, 32, 48, 64] as const;
const labelDropout = 0.1;
const klWeight = 1e-4;

/** The full size's topology (twelve skips) with an eighth of its channels. */
export async function createUNet(): Promise<UNet> {
  const json = {
    ...presets.musicldm.unet,
    sample_size: 16,
    block_out_channels: channels,
    cross_attention_dim: channels,
    attention_head_dim: 4,
    norm_num_groups: 8,
    projection_class_embeddings_input_dim: labelWidth,
  };
  return UNet.create(parseUNetConfig(json, "bench").config);
}

export async function createVae(): Promise<Autoencoder> {
  return Autoencoder.create(parseAutoencoderConfig(presets.debug.vae, "bench").config);
}

/** Warm up over a twentieth of the steps, then fall along a cosine. */
function rateAt(step: number, { steps, rate }: Course): number {
  const rise = Math.min(1, (step + 1) / (steps / 20));
  return rate * rise * (0.01 + 0.99 * Math.cos((Math.PI / 2) * (step / steps)) ** 2);
}

async function run(
  name: string,
  adam: Adam,
  course: Course,
  lossAt: (step: number) => Promise<Tensor>,
): Promise<void> {
  let mean = 0;
  for (let step = 0; step < course.steps; step += 1) {
    using loss = await lossAt(step);
    await loss.backward();
    await adam.step(rateAt(step, course));
    const value = await loss.item();
    mean = step === 0 ? value : 0.98 * mean + 0.02 * value;
    if ((step + 1) % 100 === 0) {
      console.error(`${name} ${step + 1} of ${course.steps}: ${mean.toFixed(4)}`);
    }
  }
  await adam.finish();
}

async function meanSquare(first: Tensor, second: Tensor): Promise<Tensor> {
  using difference = await first.sub(second);
  using square = await difference.mul(difference);
  return await square.mean();
}

/** Train the autoencoder on squared error and a weak pull towards the unit Gaussian. */
export async function trainVae(vae: Autoencoder, course: Course): Promise<void> {
  await vae.initialise(1);
  using adam = await Adam.create(vae);
  await run("vae", adam, course, async (step) => {
    using batch = await drawMels(1000 + step, course.rows);
    using posterior = await vae.encode(batch.mels);
    using latents = await posterior.sample({ seed: step });
    using decoded = await vae.decode(latents);
    using error = await meanSquare(decoded, batch.mels);
    using variance = await posterior.logvar.exp();
    using square = await posterior.mean.mul(posterior.mean);
    using sum = await square.add(variance);
    using divergence = await sum.sub(posterior.logvar);
    using pull = await divergence.mean();
    using weighted = await pull.mul(klWeight);
    return await error.add(weighted);
  });
}

/** Latents of drawn mels `[N, C, T, F]`, of unit variance, and the factor that made them so. */
export interface Latents {
  readonly latents: Tensor;
  readonly classes: readonly number[];
  readonly scale: number;
}

export async function encodeData(vae: Autoencoder, count: number): Promise<Latents> {
  const parts: Tensor[] = [];
  const classes: number[] = [];
  for (let first = 0; first < count; first += 64) {
    using batch = await drawMels(500_000 + first, Math.min(64, count - first));
    using posterior = await vae.encode(batch.mels);
    parts.push(await posterior.mode());
    classes.push(...batch.classes);
  }
  using all = await Tensor.cat(parts);
  for (const part of parts) part.dispose();
  using deviation = await all.std();
  const scale = 1 / (await deviation.item());
  return { latents: await all.mul(scale), classes, scale };
}

/** Train the UNet to predict the noise, with the class left out now and then. */
export async function trainUNet(
  unet: UNet,
  { latents, classes }: Latents,
  { alphasCumprod }: NoiseSchedule,
  course: Course,
): Promise<void> {
  await unet.initialise(2);
  using adam = await Adam.create(unet);
  using table = await drawLabels();
  const random = createRandom(3);
  const below = (count: number): number => Math.floor(random() * count);
  await run("unet", adam, course, async (step) => {
    const rows = Array.from({ length: course.rows }, () => below(classes.length));
    const times = rows.map(() => below(alphasCumprod.length));
    const kinds = rows.map((row) => (random() < labelDropout ? classCount : classes[row]!));
    using clean = await pickRows(latents, rows);
    using labels = await pickRows(table, kinds);
    using noise = await Tensor.randn(clean.shape, { seed: step });
    using noisy = await addNoise(
      clean,
      noise,
      times.map((t) => alphasCumprod[t]!),
    );
    using timesteps = await Tensor.from(times);
    using prediction = await unet.forward(noisy, timesteps, labels);
    return await meanSquare(prediction, noise);
  });
}

async function addNoise(clean: Tensor, noise: Tensor, powers: readonly number[]): Promise<Tensor> {
  const shape = [powers.length, 1, 1, 1];
  using alphas = await Tensor.from(Float32Array.from(powers, Math.sqrt), shape);
  using sigmas = await Tensor.from(
    Float32Array.from(powers, (power) => Math.sqrt(1 - power)),
    shape,
  );
  using kept = await clean.mul(alphas);
  using added = await noise.mul(sigmas);
  return await kept.add(added);
}
