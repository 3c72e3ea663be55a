import { join } from "node:path";
import { readSafetensors, writeSafetensors } from "../lib/checkpoint/index.js";
import { clipLength } from "../lib/musicldm/frames.js";
import { openNetworks } from "../lib/musicldm/networks.js";
import { Tensor } from "../lib/tensor/tensor.js";
import type { Task } from "./stages.js";

/** The tensors that every contender works on, from one file. */
export interface Inputs extends Disposable {
  /** Path of the safetensors file. */
  readonly file: string;
  /** Unit noise `[1, C, T, F]`: start of a generation, and latents for the decoder. */
  readonly latents: Tensor;
  /** Unit-norm embeddings `[2, W]` of a guided step. */
  readonly labels: Tensor;
  /** Log-mel `[1, frames, bins]`. */
  readonly mel: Tensor;
  /** Token ids of the prompt and of the empty text, `[1, N]` int64. */
  readonly ids: Tensor;
  readonly emptyIds: Tensor;
}

const names = ["latents", "labels", "mel", "ids", "emptyIds"] as const;

/** Draw the inputs of a task, write them to a folder and map the file. */
export async function makeInputs(task: Task, folder: string): Promise<Inputs> {
  const { unet, vae, vocoder, textEncoder } = await openNetworks(task.folder, {});
  const { frames, latentFrames } = clipLength(task.seconds, false, vae, vocoder);
  const bins = vocoder.config.model_in_dim;
  const shape = [1, unet.config.in_channels, latentFrames, bins / vae.downscale];
  const width = textEncoder.tower.config.projection_dim;
  const tokens = (text: string): Promise<Tensor> => {
    const { ids } = textEncoder.tokenizer.encode(text);
    return Tensor.from(BigInt64Array.from(ids, BigInt), [1, ids.length]);
  };
  using latents = await Tensor.randn(shape, { seed: 1 });
  using labels = await drawLabels(width);
  using mel = await drawMel([1, frames, bins]);
  using ids = await tokens(task.prompt);
  using emptyIds = await tokens("");
  const file = join(folder, "inputs.safetensors");
  await writeSafetensors(file, { latents, labels, mel, ids, emptyIds });
  for (const part of [unet, vae, vocoder, textEncoder]) part.dispose();
  return await openInputs(file);
}

async function openInputs(file: string): Promise<Inputs> {
  const content = await readSafetensors(file);
  const { latents, labels, mel, ids, emptyIds } = content.tensors;
  if (!latents || !labels || !mel || !ids || !emptyIds) {
    throw new Error(`Expected ${names.join(", ")} in ${file}`);
  }
  const dispose = (): void => content[Symbol.dispose]();
  return { file, latents, labels, mel, ids, emptyIds, [Symbol.dispose]: dispose };
}

async function drawLabels(width: number): Promise<Tensor> {
  using raw = await Tensor.randn([2, width], { seed: 2 });
  using norm = await raw.norm([1], { keepDim: true });
  return await raw.div(norm);
}

/** Log-mels of music lie at about −5 ± 2. */
async function drawMel(shape: readonly number[]): Promise<Tensor> {
  using unit = await Tensor.randn(shape, { seed: 3 });
  using wide = await unit.mul(2);
  return await wide.sub(5);
}
