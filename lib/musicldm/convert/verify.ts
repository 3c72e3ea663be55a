import { Checkpoint } from "../../checkpoint/checkpoint.js";
import { parseAutoencoderConfig } from "../../checkpoint/config/autoencoder.js";
import { parseClapConfig } from "../../checkpoint/config/clap.js";
import type { ClapClass } from "../../checkpoint/config/clap.js";
import { parseUNetConfig } from "../../checkpoint/config/unet.js";
import { parseVocoderConfig } from "../../checkpoint/config/vocoder.js";
import type { Json } from "../../checkpoint/convert/types.js";
import { AudioTower } from "../../clap/audio-tower.js";
import { TextTower } from "../../clap/text-tower.js";
import { UNet } from "../../diffusion/unet.js";
import { Autoencoder } from "../../latent/autoencoder.js";
import { Vocoder } from "../../latent/vocoder.js";
import type { Module } from "../../nn/module.js";
import type { CallOptions } from "../../runtime/abort.js";
import type { DType } from "../../runtime/native.js";

/** A network that was written. */
export interface WrittenPart {
  readonly name: string;
  readonly config: Json;
  readonly path: string;
}

/**
 * Open what was written as it will be opened, without copying weights. Errors: `E_CHECKPOINT`
 * listing every tensor that a network misses, does not know or has in another shape.
 */
export async function verifyPart(part: WrittenPart, { signal }: CallOptions): Promise<void> {
  using checkpoint = await Checkpoint.open(part.path);
  for (const create of networksOf(part)) {
    using network = await create();
    await network.load(checkpoint, { dtype: weightDtype(checkpoint), signal });
  }
}

const dtypes: Readonly<Record<string, DType>> = {
  F32: "float32",
  F16: "float16",
  BF16: "bfloat16",
};

/** The dtype in which nothing, or as little as can be, has to be converted. */
function weightDtype({ entries }: Checkpoint): DType {
  for (const { dtype } of entries) {
    const known = dtypes[dtype];
    if (known !== undefined) return known;
  }
  return "float32";
}

type Create = () => Promise<Module>;

function networksOf({ name, config, path }: WrittenPart): readonly Create[] {
  switch (name) {
    case "unet":
      return [() => UNet.create(parseUNetConfig(config, path).config)];
    case "vae":
      return [() => Autoencoder.create(parseAutoencoderConfig(config, path).config)];
    case "vocoder":
      return [() => Vocoder.create(parseVocoderConfig(config, path).config)];
    default: {
      const [className] = config["architectures"] as readonly ClapClass[];
      const { text, audio } = parseClapConfig(config, path, className ?? "ClapModel").config;
      const texts = (): Promise<Module> => TextTower.create(text);
      return audio === null ? [texts] : [texts, () => AudioTower.create(audio)];
    }
  }
}
