import type { MelSettings } from "./mel.js";

type Preset = Partial<MelSettings> & Pick<MelSettings, "sampleRate" | "fftSize" | "hopSamples">;

const clap = {
  sampleRate: 48_000,
  fftSize: 1024,
  hopSamples: 480,
  melBins: 64,
  fMin: 50,
  fMax: 14_000,
  power: 2,
  floor: 1e-10,
  compression: "dB",
} as const satisfies Preset;

const musicldm = {
  sampleRate: 16_000,
  fftSize: 1024,
  hopSamples: 160,
  melBins: 64,
  power: 1,
  floor: 1e-5,
  compression: "ln",
} as const satisfies Preset;

/**
 * Mel spectrograms that published models read, by name.
 *
 * - `clap`: laion_clap without fusion (torchlibrosa 0.1, `clap_module/htsat.py`) and transformers'
 *   `ClapFeatureExtractor` with `rand_trunc`. Slaney's scale and area norm, decibels of power.
 * - `clap-fused`: laion_clap with fusion (torchaudio, `training/data.py: get_mel`) and
 *   transformers' with `fusion`. HTK's scale, no norm: 15 to 28 dB above `clap`.
 * - `musicldm`: `RetroCirce/MusicLDM: utilities/audio/stft.py`, and AudioLDM's inference.
 * - `audioldm`, `hifigan`: `haoheliu/AudioLDM-training-finetuning: mel_spectrogram_train` and
 *   `jik876/hifi-gan: meldataset.py`; half a hop later, the second with 1e-9 under the root.
 * - `vggish`: `harritaylor/torchvggish: mel_features.py`, the input of the Fréchet audio distance.
 * - `cnn14-16k`, `cnn14-32k`: PANNs, `qiuqiangkong/audioset_tagging_cnn: pytorch/models.py`.
 */
export const melPresets = {
  clap,
  "clap-fused": { ...clap, scale: "htk", norm: "none" },
  musicldm,
  audioldm: { ...musicldm, padding: 432 },
  hifigan: { ...musicldm, padding: 432, epsilon: 1e-9 },
  vggish: {
    sampleRate: 16_000,
    fftSize: 512,
    hopSamples: 160,
    windowSamples: 400,
    alignment: "start",
    melBins: 64,
    fMin: 125,
    fMax: 7500,
    scale: "htk",
    norm: "none",
    slopes: "mel",
    power: 1,
    offset: 0.01,
    compression: "ln",
  },
  "cnn14-16k": { ...clap, sampleRate: 16_000, fftSize: 512, hopSamples: 160, fMax: 8000 },
  "cnn14-32k": { ...clap, sampleRate: 32_000, hopSamples: 320 },
} as const satisfies Readonly<Record<string, Preset>>;

export type MelPresetName = keyof typeof melPresets;
