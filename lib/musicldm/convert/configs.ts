import { parseAutoencoderConfig } from "../../checkpoint/config/autoencoder.js";
import { parseClapConfig } from "../../checkpoint/config/clap.js";
import { parseUNetConfig } from "../../checkpoint/config/unet.js";
import { parseVocoderConfig } from "../../checkpoint/config/vocoder.js";
import { clapConfig } from "../../checkpoint/convert/clap-config.js";
import {
  autoencoderConfig,
  unetConfig,
  vocoderConfig,
} from "../../checkpoint/convert/network-config.js";
import type { Part } from "../../checkpoint/convert/part.js";
import { textConfig } from "../../checkpoint/convert/text-config.js";
import type { Json } from "../../checkpoint/convert/types.js";
import type { Preset } from "../presets.js";
import type { ConvertOptions } from "./types.js";

type Settings = NonNullable<ConvertOptions["settings"]>;

/** What the configuration of a part depends on besides its shapes. */
export interface ConfigContext {
  readonly settings: Settings;
  /** What a pipeline is like in which a checkpoint says nothing of it. */
  readonly preset: Preset;
  readonly scalingFactor: number | null;
  /** Whether the vocoder shifts and scales its mel bins. */
  readonly normalises: boolean;
}

/** Read the configuration of a whole `ClapModel`, with settings given by hand on top. */
export function wholeClap({ shapes, keptShapes, file }: Part, settings: Settings): Json {
  const config = clapConfig(shapes, keptShapes);
  const { text_config, audio_config, ...rest } = config as Record<string, Json>;
  const merged = {
    ...rest,
    ...settings.clap,
    text_config: { ...text_config, ...settings.text },
    audio_config: { ...audio_config, ...settings.audio },
  };
  parseClapConfig(merged, file, "ClapModel");
  return merged;
}

/** Read the configuration of a component. Errors: `E_CHECKPOINT`, `E_CONFIG`. */
export function componentConfig(part: Part, context: ConfigContext): Json {
  const { name, shapes, file } = part;
  const { settings, preset } = context;
  switch (name) {
    case "unet": {
      const { sample_size } = preset.unet;
      const config = { ...unetConfig(shapes), sample_size, ...settings.unet };
      parseUNetConfig(config, file);
      return config;
    }
    case "vae": {
      const { sample_size } = preset.vae;
      const scaling_factor = context.scalingFactor ?? preset.vae["scaling_factor"];
      const config = { ...autoencoderConfig(shapes), sample_size, scaling_factor, ...settings.vae };
      parseAutoencoderConfig(config, file);
      return config;
    }
    case "vocoder": {
      const config = { ...vocoderConfig(shapes, context.normalises), ...settings.vocoder };
      parseVocoderConfig(config, file);
      return config;
    }
    default:
      return preset.textClass === "ClapModel"
        ? wholeClap(part, settings)
        : halfClap(part, settings);
  }
}

function halfClap({ shapes, file }: Part, settings: Settings): Json {
  const architectures = ["ClapTextModelWithProjection"];
  const config = { architectures, ...textConfig(shapes), ...settings.text };
  parseClapConfig(config, file, "ClapTextModelWithProjection");
  return config;
}
