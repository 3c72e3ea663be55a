import { Option } from "commander";
import type { Command } from "commander";
import type { AudioFormat } from "../audio/types.js";
import { solverNames } from "../diffusion/solvers/solver.js";
import type { SolverName } from "../diffusion/solvers/solver.js";
import type { DeepCacheSettings } from "../diffusion/deep-cache.js";
import type { GuidanceInterval } from "../musicldm/guided.js";
import { qualityNames } from "../musicldm/quality.js";
import type { Quality } from "../musicldm/quality.js";
import type { LoadOptions, OutputKind, TimeSpan } from "../musicldm/types.js";
import { addMachine } from "./machine.js";
import {
  collectSpan,
  collectText,
  parseCount,
  parseDeepCache,
  parseInterval,
  parseNumber,
  parseSeed,
} from "./parse.js";
import type { Session } from "./session.js";

/** The options of `generate` as commander hands them over. */
export interface GenerateFlags {
  readonly model?: string;
  readonly prompt?: readonly string[];
  readonly promptsFile?: string;
  readonly negativePrompt?: readonly string[];
  readonly seconds?: number;
  readonly steps?: number;
  readonly quality?: Quality;
  readonly scheduler?: SolverName;
  readonly guidanceScale?: number;
  readonly guidanceInterval?: GuidanceInterval;
  readonly deepCache?: DeepCacheSettings;
  readonly eta?: number;
  readonly sigmas?: "karras" | "exponential";
  readonly seed?: number | readonly number[];
  readonly count?: number;
  readonly batchSize?: number;
  readonly loop?: boolean;
  readonly rerank?: boolean;
  readonly rerankBy?: string;
  readonly latents?: string;
  readonly audio?: string;
  readonly strength?: number;
  readonly mask?: readonly TimeSpan[];
  readonly output?: string;
  readonly out?: string;
  readonly format?: AudioFormat;
  readonly flacBits?: "16" | "24";
  readonly outputKind: OutputKind;
  readonly saveLatents?: string;
  readonly overwrite: boolean;
  readonly device?: string;
  readonly dtype?: NonNullable<LoadOptions["dtype"]>;
  readonly attentionHeads?: NonNullable<LoadOptions["attentionHeads"]>;
  readonly packing?: NonNullable<LoadOptions["packing"]>;
  readonly threads?: number;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

const notes = `
Every PROMPT is one text: put it in quotes. Without -o the file is named after prompt and seed.
An -o that names a folder, or holds {prompt}, {seed} or {index}, names several files; so does a
plain name, which then gets -1, -2, ... The file carries all settings: see \`musicldm inspect\`.
Files that exist are replaced, unless --no-overwrite is given.

Examples:
  $ musicldm generate ./model "a calm piano melody with soft strings"
  $ musicldm generate ./model "techno, 128 bpm" --seconds 5 --seed 7 --count 4 -o out/
  $ musicldm generate ./model --prompts-file prompts.txt -o "out/{index}-{seed}.flac"
  $ musicldm generate ./model "lo-fi beat" --loop -o loop.wav
  $ musicldm generate ./model "a solo cello" --count 8 --rerank -o out/
  $ musicldm generate ./model "the same, on a harp" --audio song.wav --strength 0.5 -o harp.wav
  $ musicldm generate ./model "a drum fill" --audio song.wav --mask 2:3.5 -o filled.wav
  $ musicldm generate ./model "it goes on" --audio song.wav --seconds 15 -o longer.wav
  $ musicldm generate ./model "bells" --scheduler ddim --steps 200 -o - | aplay`;

/** Declare `generate`. */
export function addGenerate(program: Command, session: Session): void {
  const command = program
    .command("generate")
    .summary("turn text into music, or edit a clip")
    .description("Generate music from text, or edit an existing clip (--audio).")
    .usage("[options] <model> <prompt...>")
    .argument("[arguments...]", "model folder (unless --model is given), then prompts");
  addTexts(command);
  addSampling(command);
  addEditing(command);
  addOutput(command);
  addModelMachine(command);
  command.addHelpText("after", notes).action(async (words: string[], flags: GenerateFlags) => {
    const { runGenerate } = await import("./generate-run.js");
    await runGenerate(words, flags, session);
  });
}

function addTexts(command: Command): void {
  command
    .optionsGroup("Texts:")
    .option("-m, --model <folder>", "model folder in the layout of diffusers")
    .option("-p, --prompt <text>", "a prompt; may be repeated", collectText)
    .option("--prompts-file <file>", "one prompt per line; - for standard input")
    .option("--negative-prompt <text>", "steer away from this; once, or per prompt", collectText);
}

function addSampling(command: Command): void {
  command
    .optionsGroup("Sampling:")
    .option("--seconds <n>", "length, at least 0.1 (default: the model's own)", parseNumber)
    .addOption(
      new Option("--quality <name>", "solver, steps and savings (default: standard)").choices(
        qualityNames,
      ),
    )
    .option("--steps <n>", "steps of the solver, 1..1000 (default: its own)", parseCount)
    .addOption(new Option("--scheduler <name>", "solver").choices(solverNames))
    .option("--guidance-scale <n>", "0..100; 1 turns guidance off (default: 2)", parseNumber)
    .option("--guidance-interval <high:low>", "guide at these noise levels only", parseInterval)
    .option("--deep-cache <n[:branch]>", "reuse deep features, every n-th is whole", parseDeepCache)
    .option("--eta <n>", "randomness of ddim, 0..1 (default: 0)", parseNumber)
    .addOption(
      new Option("--sigmas <spacing>", "spacing of noise levels").choices([
        "karras",
        "exponential",
      ]),
    )
    .option("--seed <n>", "seed of the first item, or n,n,... (default: random)", parseSeed)
    .option("--count <n>", "items per prompt (default: 1)", parseCount)
    .option("--batch-size <n>", "items denoised at once", parseCount)
    .option("--loop", "make the end join the start")
    .option("--rerank", "put the items of a prompt that its CLAP likes best first")
    .option("--rerank-by <folder>", "likewise, by the CLAP of this folder")
    .option("--latents <file>", "safetensors with starting noise `latents`, one per item");
}

function addEditing(command: Command): void {
  command
    .optionsGroup("Editing:")
    .option("--audio <file>", "WAV or FLAC file to start from")
    .option("--strength <n>", "above 0, up to 1: how far to depart from it", parseNumber)
    .option("--mask <start:end>", "seconds to generate anew; may be repeated", collectSpan);
}

function addOutput(command: Command): void {
  command
    .optionsGroup("Output:")
    .option("-o, --output <file>", "file, folder or pattern; - for standard output")
    .addOption(new Option("--out <file>", "same as --output").hideHelp())
    .addOption(
      new Option("--format <format>", "default: by the name").choices(["wav", "wav-float", "flac"]),
    )
    .addOption(new Option("--flac-bits <n>", "bits per sample of FLAC").choices(["16", "24"]))
    .addOption(
      new Option("--output-kind <kind>", "mel and latent are written as safetensors")
        .choices(["waveform", "mel", "latent"])
        .default("waveform"),
    )
    .option("--save-latents <file>", "also write latents, mel and waveform as safetensors")
    .option("-n, --no-overwrite", "refuse to replace files")
    .option("--json", "print one JSON document on standard output")
    .option("-q, --quiet", "print nothing but errors")
    .option("--verbose", "print stack traces");
}

function addModelMachine(command: Command): void {
  addMachine(command)
    .addOption(
      new Option("--attention-heads <rule>", "as the folder says, or as trained").choices([
        "config",
        "trained",
      ]),
    )
    .option("--threads <n>", "threads that one operation may use", parseCount);
}
