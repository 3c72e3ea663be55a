/** The audio encoders of laion_clap, and a tiny HTSAT below a million weights. */
export const audioPresetNames = [
  "debug",
  "htsat-tiny",
  "htsat-base",
  "htsat-large",
  "pann-14",
  "pann-10",
  "pann-6",
] as const;
export type AudioPresetName = (typeof audioPresetNames)[number];

type Json = Readonly<Record<string, unknown>>;

/** With stochastic depth and no dropout, as laion_clap trains. */
function htsat(width: number, depths: readonly number[]): Json {
  return {
    model_type: "clap_audio_model",
    patch_embeds_hidden_size: width,
    hidden_size: 8 * width,
    depths,
    num_attention_heads: [4, 8, 16, 32],
    hidden_dropout_prob: 0,
    drop_path_rate: 0.1,
  };
}

/**
 * `audio_config` of each; `parseClapConfig` fills in the rest. `enable_fusion` and `fusion_type`
 * make the fused ones of HTSAT and CNN14.
 *
 * Source: LAION-AI/CLAP, `model_configs` and `create_htsat_model`.
 */
export const audioPresets: Readonly<Record<AudioPresetName, Json>> = {
  debug: { ...htsat(8, [1, 2, 2, 1]), num_attention_heads: [1, 2, 4, 4] },
  "htsat-tiny": htsat(96, [2, 2, 6, 2]),
  "htsat-base": htsat(128, [2, 2, 12, 2]),
  "htsat-large": htsat(256, [2, 2, 12, 2]),
  "pann-14": { model_type: "pann", arch: "cnn14" },
  "pann-10": { model_type: "pann", arch: "cnn10" },
  "pann-6": { model_type: "pann", arch: "cnn6" },
};
