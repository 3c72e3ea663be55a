/** Parts of a generation that are timed on their own, the whole, and the whole at its defaults. */
export const stageNames = ["text", "unet", "vae", "vocoder", "generate", "default"] as const;
export type StageName = (typeof stageNames)[number];

/** What `--stages` takes: the 3×3 convolutions alone are measured as well. */
export const sectionNames = [...stageNames, "conv3x3"] as const;
export type SectionName = (typeof sectionNames)[number];

export const stageTitles: Readonly<Record<StageName, string>> = {
  text: "text encoding",
  unet: "guided UNet step",
  vae: "VAE decode",
  vocoder: "vocoder",
  generate: "whole generation",
  default: "default generation",
};

/** What a generation of every contender is asked for. */
export interface Task {
  /** Model folder in diffusers' layout. */
  readonly folder: string;
  readonly seconds: number;
  readonly steps: number;
  readonly guidanceScale: number;
  readonly prompt: string;
}

/** Runs to do in a row. */
export interface Work {
  readonly stage: StageName;
  readonly repeats: number;
  /** Solver steps of a whole generation. */
  readonly steps: number;
}

/** One run of a stage: seconds on the clock, and of all threads of the process. */
export interface Timing {
  readonly wallSeconds: number;
  readonly cpuSeconds: number;
}

/** One implementation that can be timed; it computes nothing between calls. */
export interface Contender {
  /** @returns the mean of the repeats. */
  run(work: Work): Promise<Timing>;
  /** What the last run of a stage returned. */
  output(stage: StageName): Promise<Float32Array>;
}
