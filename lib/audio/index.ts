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
export { downmix } from "./pcm.js";
export { logMel, melFilterBank, resample, resampleSamples } from "./transform.js";
export type { MelOptions, MelStyle } from "./transform.js";
export type { AudioClip, AudioFileInfo, AudioFormat, AudioMetadata } from "./types.js";
