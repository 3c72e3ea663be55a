export {
  encodeAudio,
  formatOf,
  readAudio,
  readAudioInfo,
  readAudioMetadata,
  writeAudio,
  writeAudioTo,
} from "./files.js";
export type { WriteAudioOptions } from "./files.js";
export { loadAudio, probeAudio, streamAudio } from "./load.js";
export type { AudioChunk, LoadAudioOptions, StreamAudioOptions } from "./load.js";
export type { AudioProbe, ChannelChoice } from "./decoder/protocol.js";
export type { AudioInput } from "./source.js";
export { downmix } from "./pcm.js";
export { logMel, melFilterBank, melSpectrogram } from "./mel.js";
export type { LogMelOptions, MelOptions, MelSettings, MelStyle } from "./mel.js";
export { melPresets } from "./mel-presets.js";
export type { MelPresetName } from "./mel-presets.js";
export { istft, stft } from "./stft.js";
export type { StftOptions, StftSettings, WindowName } from "./stft.js";
export { resample, resampleSamples } from "./transform.js";
export type { ResampleOptions } from "./transform.js";
export type { AudioClip, AudioFileInfo, AudioFormat, AudioMetadata } from "./types.js";
