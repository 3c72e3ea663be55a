import type { Networks } from "../lib/musicldm/networks.js";
import type { Inputs } from "./inputs.js";
import { gigaflopOf } from "./layers.js";
import { decoderLayers, textLayers, vocoderLayers } from "./network-layers.js";
import type { StageName } from "./stages.js";
import { unetLayers } from "./unet-layers.js";

/** Count the GFLOP of each stage from the networks' configurations and the shapes of the inputs. */
export function countWork(
  { textEncoder, unet, vae, vocoder }: Networks,
  { latents, mel, ids, emptyIds }: Inputs,
  steps: number,
): Readonly<Partial<Record<StageName, number>>> {
  const [, , frames = 0, bins = 0] = latents.shape;
  const { config } = textEncoder.tower;
  const text = ({ shape }: Inputs["ids"]): number =>
    config.model_type === "clap_text_model" ? gigaflopOf(textLayers(config, shape[1] ?? 0)) : NaN;
  const step = gigaflopOf(unetLayers(unet.config, { batch: 2, frames, bins }));
  const decode = gigaflopOf(decoderLayers(vae.config, { batch: 1, frames, bins }));
  const vocode = gigaflopOf(vocoderLayers(vocoder.config, mel.shape[1] ?? 0));
  const generate = text(ids) + text(emptyIds) + steps * step + decode + vocode;
  return { text: text(ids), unet: step, vae: decode, vocoder: vocode, generate };
}
