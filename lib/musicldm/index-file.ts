import type { Preset } from "./presets.js";

/** What a pipeline is made of. */
export type PipelineClasses = Pick<Preset, "pipeline" | "textClass" | "extractor">;

/** The content of `model_index.json`: which class each folder is of. */
export function modelIndex({ pipeline, textClass, extractor }: PipelineClasses): unknown {
  return {
    _class_name: pipeline,
    ...(extractor && { feature_extractor: ["transformers", "ClapFeatureExtractor"] }),
    scheduler: ["diffusers", "DDIMScheduler"],
    text_encoder: ["transformers", textClass],
    tokenizer: ["transformers", "RobertaTokenizer"],
    unet: ["diffusers", "UNet2DConditionModel"],
    vae: ["diffusers", "AutoencoderKL"],
    vocoder: ["transformers", "SpeechT5HifiGan"],
  };
}
