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
export { qualities, qualityNames } from "./musicldm/quality.js";
export type { Quality, Sampler } from "./musicldm/quality.js";
export type { GuidanceInterval } from "./musicldm/guided.js";
export { initPretrained } from "./musicldm/init.js";
export type { InitOptions, InitResult } from "./musicldm/init.js";
export { convertCheckpoint } from "./musicldm/convert/convert.js";
export type {
  ConvertedPart,
  ConvertOptions,
  ConvertResult,
  SettingPart,
  TargetName,
} from "./musicldm/convert/types.js";
export { presetNames } from "./musicldm/presets.js";
export type { PresetName } from "./musicldm/presets.js";

export { AudioTower, AudioTowerOutput } from "./clap/audio-tower.js";
export { audioPresetNames, audioPresets } from "./clap/audio-presets.js";
export type { AudioPresetName } from "./clap/audio-presets.js";
export { Clap } from "./clap/clap.js";
export type {
  AudioPool,
  AudioWindows,
  Classification,
  ClapLoadOptions,
  ClassifyOptions,
  EmbedAudioOptions,
  LabelTemplate,
  TimedEmbedding,
} from "./clap/types.js";
export type { VerifyCheck, VerifyReport } from "./clap/verify/report.js";
export { initClap } from "./clap/init.js";
export type { InitClapOptions, InitClapResult } from "./clap/init.js";
export { clapPresetNames } from "./clap/presets.js";
export type { ClapPresetName } from "./clap/presets.js";
export { ClapFeatureExtractor, ClapFeatures } from "./clap/feature-extractor.js";
export type { ExtractOptions, ExtractorOptions } from "./clap/feature-extractor.js";
export { TextEncoder } from "./clap/text-encoder.js";
export type { TextEncoding } from "./clap/text-encoder.js";
export { TextTower } from "./clap/text-tower.js";
export { TextTokenizer } from "./clap/tokenizer.js";
export { EmbeddingIndex } from "./clap/embedding-index.js";
export type { FileState, IndexStats, OpenIndexOptions, SearchHit } from "./clap/embedding-index.js";
export type { IndexedFile, IndexModel, IndexRow, IndexSearchOptions } from "./clap/index-input.js";
export { indexFolder } from "./clap/index-folder.js";
export type { IndexFolderOptions, IndexFolderReport } from "./clap/index-folder.js";
export type { FileFailure } from "./clap/folder-scan.js";
export { searchIndex } from "./clap/search.js";
export type { SearchQuery } from "./clap/search.js";
export type { SearchModel, TimelineOptions, Windowing } from "./clap/search-model.js";
export { LogitScales } from "./clap/logit-scales.js";
export type { LogitScaleValues } from "./clap/logit-scales.js";
export { Autoencoder, Posterior } from "./latent/autoencoder.js";
export type { LatentOptions, PosteriorSampleOptions } from "./latent/autoencoder.js";
export { Vocoder } from "./latent/vocoder.js";
export { DeepFeature, UNet } from "./diffusion/unet.js";
export type { KeptPrediction, UNetOptions, UNetPasses } from "./diffusion/unet.js";
export { DeepCache } from "./diffusion/deep-cache.js";
export type { DeepCacheSettings } from "./diffusion/deep-cache.js";
export { Module } from "./nn/module.js";
export type { ModuleLoadOptions, ModulePlace, NamedTensors, Packing } from "./nn/module.js";

export { createPlan, defaultSampler, defaultSolver, defaultSteps } from "./diffusion/plan.js";
export type {
  NoiseLevel,
  PlanSettings,
  PredictionType,
  SolverName,
  SolverPlan,
  SolverStep,
  Update,
} from "./diffusion/plan.js";
export { runPlan } from "./diffusion/sample.js";
export type { Evaluation, Network, SampleOptions } from "./diffusion/sample.js";
export { parseSchedulerConfig, parseSchedulerConfigText } from "./diffusion/scheduler-config.js";
export type { SchedulerConfig } from "./diffusion/scheduler-config.js";
export { solverNames } from "./diffusion/solvers/index.js";

export * from "./checkpoint/index.js";
export * from "./audio/index.js";
export * from "./evaluation/index.js";

export { Tensor } from "./tensor/tensor.js";
export type { TensorData, TensorOptions, TensorSource } from "./tensor/create.js";
export { Generator } from "./tensor/generator.js";
export type { SeedOptions } from "./tensor/generator.js";
export { guidance, linearCombination, normalNoise, windowAttention } from "./tensor/domain.js";
export type { WindowAttentionOptions } from "./tensor/domain.js";

export { errorCodes, MusicLDMError } from "./runtime/errors.js";
export type { ErrorCode, ErrorDetails } from "./runtime/errors.js";
export type { CallOptions, ProgressEvent } from "./runtime/abort.js";
export { memory, setThreads } from "./runtime/native.js";
export type { DType, MemoryUsage } from "./runtime/native.js";
export { doctor } from "./runtime/doctor.js";
export type { DoctorReport } from "./runtime/doctor.js";
export { setup } from "./runtime/setup.js";
export type { SetupOptions } from "./runtime/setup.js";
