export { MusicLDM } from "./musicldm/musicldm.js";
export type {
  EditOptions,
  GenerateOptions,
  GenerationResult,
  GenerationSettings,
  LoadOptions,
  OutputKind,
  SamplingOptions,
  SourceAudio,
  TimeSpan,
} from "./musicldm/types.js";
export { initPretrained } from "./musicldm/init.js";
