import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { downmix, readAudio } from "../audio/index.js";
import { readSafetensors } from "../checkpoint/safetensors.js";
import { checkEdit, checkGenerate } from "../musicldm/options.js";
import type { EditOptions, GenerateOptions, SamplingOptions } from "../musicldm/types.js";
import { expected, toMusicLDMError } from "../runtime/errors.js";
import type { Tensor } from "../tensor/tensor.js";
import { UsageError } from "./failure.js";
import type { GenerateFlags } from "./generate.js";

/** What the command line asks the library for. */
export type Request =
  | { readonly kind: "generate"; readonly model: string; readonly options: GenerateOptions }
  | { readonly kind: "edit"; readonly model: string; readonly options: EditOptions };

/** Sort model folder and prompts out of the words and options. @throws UsageError, E_IO */
async function readTexts(
  words: readonly string[],
  flags: GenerateFlags,
): Promise<{ readonly model: string; readonly prompts: readonly string[] }> {
  const [first, ...others] = words;
  const model = flags.model ?? first;
  if (!model) throw new UsageError("Expected a model folder but received none");
  const spoken = flags.model === undefined ? others : words;
  const listed = flags.promptsFile === undefined ? [] : await readLines(flags.promptsFile);
  const prompts = [...(flags.prompt ?? []), ...spoken, ...listed];
  if (prompts.length > 0) return { model, prompts };
  throw new UsageError("Expected at least one prompt but received none");
}

async function readLines(path: string): Promise<readonly string[]> {
  const content = await (path === "-" ? text(process.stdin) : readFile(path, "utf8")).catch(
    (error: unknown) => {
      throw toMusicLDMError(error);
    },
  );
  const lines = content.replace(/^\ufeff/, "").split(/\r?\n/);
  return lines.map((line) => line.trim()).filter((line) => line !== "");
}

function refuseTogether(flags: GenerateFlags): void {
  const editing = (["strength", "mask"] as const).filter((name) => flags[name] !== undefined);
  if (flags.audio === undefined && editing.length > 0) {
    throw new UsageError(`--${editing[0]} needs --audio FILE`);
  }
  if (flags.audio === undefined) return;
  if (flags.latents !== undefined) throw new UsageError("--latents excludes --audio");
  if (flags.loop) throw new UsageError("--loop excludes --audio");
  if (flags.rerank || flags.rerankBy) throw new UsageError("--rerank excludes --audio");
}

function samplingOptions(flags: GenerateFlags, prompts: readonly string[]): SamplingOptions {
  const { negativePrompt, quality, steps, scheduler, eta, sigmas } = flags;
  const { guidanceScale, guidanceInterval, deepCache } = flags;
  const { seed, count, batchSize, outputKind, saveLatents } = flags;
  return {
    prompt: prompts,
    ...(negativePrompt && {
      negativePrompt: negativePrompt.length === 1 ? negativePrompt[0]! : negativePrompt,
    }),
    ...(quality && { quality }),
    ...(steps !== undefined && { steps }),
    ...(scheduler && { scheduler }),
    ...(guidanceScale !== undefined && { guidanceScale }),
    ...(guidanceInterval && { guidanceInterval }),
    ...(deepCache && { deepCache }),
    ...(eta !== undefined && { eta }),
    ...(sigmas && { sigmas }),
    ...(seed !== undefined && { seed }),
    ...(count !== undefined && { count }),
    ...(batchSize !== undefined && { batchSize }),
    output: outputKind,
    ...(saveLatents !== undefined && { intermediates: true }),
  };
}

/**
 * Turn words and options into a checked request, before any model is opened.
 *
 * @throws UsageError, E_ARGUMENT, E_IO, E_AUDIO
 */
export async function readRequest(
  words: readonly string[],
  flags: GenerateFlags,
): Promise<Request> {
  refuseTogether(flags);
  const { model, prompts } = await readTexts(words, flags);
  const sampling = samplingOptions(flags, prompts);
  const length = flags.seconds === undefined ? {} : { seconds: flags.seconds };
  if (flags.audio === undefined) {
    const options = { ...sampling, ...length, loop: flags.loop === true };
    checkGenerate(options);
    return { kind: "generate", model, options };
  }
  const { strength, mask } = flags;
  const change = { ...(strength !== undefined && { strength }), ...(mask && { mask }) };
  const silence = { samples: new Float32Array(1), sampleRate: 16000 };
  checkEdit({ ...sampling, ...length, ...change, audio: silence });
  const clip = await readAudio(flags.audio);
  const audio = { samples: downmix(clip), sampleRate: clip.sampleRate };
  return { kind: "edit", model, options: { ...sampling, ...length, ...change, audio } };
}

/** Read the tensor `latents` of a safetensors file; the caller disposes it. @throws E_CHECKPOINT */
export async function readLatents(path: string): Promise<Tensor> {
  using content = await readSafetensors(path);
  const { latents } = content.tensors;
  if (latents) {
    using converted = await latents.to("float32");
    return await converted.clone();
  }
  const names = Object.keys(content.tensors).join(", ") || "none";
  throw expected("E_CHECKPOINT", 'a tensor "latents"', path, names);
}
