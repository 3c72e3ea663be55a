import { z } from "zod";
import { parseClapAudio } from "./clap-audio.js";
import type { ClapAudioConfig } from "./clap-audio.js";
import { parseClapText } from "./clap-text.js";
import type { ClapTextConfig } from "./clap-text.js";
import { activation, parseFields, real, width } from "./fields.js";
import type { Parsed } from "./fields.js";

const modelFields = z.object({
  text_config: z.record(z.string(), z.unknown(), { error: "an object" }).nullish(),
  audio_config: z.record(z.string(), z.unknown(), { error: "an object" }).nullish(),
  logit_scale_init_value: real(1e-6, 1e6).default(1 / 0.07),
  projection_dim: width().default(512),
  projection_hidden_act: activation.default("relu"),
  initializer_factor: real(0, 100).default(1),
  // Derived from the towers, present in every file.
  hidden_size: z.unknown().optional(),
  num_hidden_layers: z.unknown().optional(),
});

/** A text encoder: both towers (`ClapModel`) or the text tower with its projection alone. */
export interface ClapConfig {
  readonly className: ClapClass;
  readonly text: ClapTextConfig;
  /** Of `ClapModel` only. */
  readonly audio: ClapAudioConfig | null;
  readonly logit_scale_init_value: number;
  readonly initializer_factor: number;
}

export type ClapClass = "ClapModel" | "ClapTextModelWithProjection";

/** Validate `text_encoder/config.json` and fill in transformers' defaults. Errors: `E_CONFIG`. */
export function parseClapConfig(
  json: unknown,
  file: string,
  className: ClapClass,
): Parsed<ClapConfig> {
  if (className === "ClapModel") return parseBoth(json, file);
  const { config: text, unknownKeys } = parseClapText(json, file);
  const initializer_factor = text.model_type === "clap_text_model" ? text.initializer_factor : 1;
  const rest = { audio: null, logit_scale_init_value: 1 / 0.07, initializer_factor };
  return { config: { className, text, ...rest }, unknownKeys };
}

/** `ClapModel` hands its projection's settings down to both towers, whatever those say. */
function parseBoth(json: unknown, file: string): Parsed<ClapConfig> {
  const { config: model, unknownKeys } = parseFields(modelFields, json, file);
  const { projection_dim, projection_hidden_act } = model;
  const shared = { projection_dim, projection_hidden_act };
  const text = parseClapText({ ...model.text_config, ...shared }, `${file} (text_config)`);
  const audio = parseClapAudio({ ...model.audio_config, ...shared }, `${file} (audio_config)`);
  const config: ClapConfig = {
    className: "ClapModel",
    text: text.config,
    audio: audio.config,
    logit_scale_init_value: model.logit_scale_init_value,
    initializer_factor: model.initializer_factor,
  };
  const inner = (prefix: string, keys: readonly string[]) => keys.map((key) => `${prefix}.${key}`);
  const nested = [
    ...inner("text_config", text.unknownKeys),
    ...inner("audio_config", audio.unknownKeys),
  ];
  return { config, unknownKeys: [...unknownKeys, ...nested] };
}
