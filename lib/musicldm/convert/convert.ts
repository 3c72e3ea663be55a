import { resolve } from "node:path";
import { openInput } from "../../checkpoint/convert/source.js";
import type { Input } from "../../checkpoint/convert/source.js";
import type { Part } from "../../checkpoint/convert/part.js";
import { expected } from "../../runtime/errors.js";
import { throwIfAborted } from "../../runtime/native.js";
import { presets } from "../presets.js";
import { checkOptions } from "./options.js";
import { isScale, planConversion } from "./plan.js";
import type { Plan } from "./plan.js";
import { publishModel, publishPipeline, reportPart } from "./publish.js";
import { restore } from "./restore.js";
import { findTokenizer } from "./tokenizer.js";
import type { ConvertedPart, ConvertOptions, ConvertResult, TargetName } from "./types.js";

/** The original layout of each kind of model. */
const originals = { clap: "laion", pipeline: "ldm", vocoder: "hifigan" } as const;

/**
 * Convert a checkpoint to the layout of Hugging Face, or back: laion_clap's CLAP, MusicLDM's and
 * AudioLDM's latent-diffusion checkpoints, HiFi-GAN generators. The layout is found by the names of
 * the tensors, the configuration by their shapes. Nothing appears at `output` before everything is
 * written and opens again.
 *
 * Errors: `E_ARGUMENT`, `E_IO` (unreadable, occupied, no space, …), `E_CHECKPOINT` (an unknown
 * layout; all unknown, missing and misshapen tensors), `E_CONFIG`, `E_ABORTED`.
 */
export async function convertCheckpoint(options: ConvertOptions): Promise<ConvertResult> {
  checkOptions(options);
  throwIfAborted(options.signal);
  using input = await openInput(options.input, { signal: options.signal });
  const to = chooseTarget(input, options.to);
  const output = resolve(options.output);
  const { pipeline = "musicldm", weights = "raw" } = options;
  const direction = to === "huggingface" ? "published" : "original";
  const textOnly = pipeline === "audioldm";
  const plan = planConversion(input, { direction, weights, textOnly });
  reportPart(options, 0, plan.parts);
  const job: Job = { input, plan, output, options };
  const { parts, notices } = to === "huggingface" ? await publish(job) : await back(job);
  return {
    input: options.input,
    output,
    layout: input.layout,
    kind: input.kind,
    to,
    ...totals(parts),
    ...leftOver(plan, options.keep ?? true, direction),
    notices,
  };
}

interface Job {
  readonly input: Input;
  readonly plan: Plan;
  readonly output: string;
  readonly options: ConvertOptions;
}

interface Outcome {
  readonly parts: readonly ConvertedPart[];
  readonly notices: readonly string[];
}

function chooseTarget(input: Input, asked: TargetName = "huggingface"): TargetName {
  const own = input.layout === "huggingface" ? originals[input.kind] : "huggingface";
  const isFile = input.layout === "huggingface" && !input.isFolder;
  if (asked === own || (asked === "huggingface" && isFile)) return asked;
  const what = `"${own}" for a ${input.kind} in the layout ${input.layout}`;
  throw expected("E_ARGUMENT", what, "to", asked, { layout: input.layout });
}

async function publish({ input, plan, output, options }: Job): Promise<Outcome> {
  const notices: string[] = [];
  const tokenizer = options.tokenizer === undefined ? [] : await findTokenizer(options.tokenizer);
  if (tokenizer.length === 0 && input.kind !== "vocoder") notices.push(tokenizerNotice);
  const preset = presets[options.pipeline === "audioldm" ? "audioldm-s" : "musicldm"];
  const scalingFactor = await readScale(input);
  if (input.layout === "ldm") notices.push(...ldmNotices(input, options, scalingFactor));
  const normalises = await hasStatistics(input, plan.parts);
  const context = { settings: options.settings ?? {}, preset, scalingFactor, normalises };
  const publication = { folder: output, parts: plan.parts, context, tokenizer, options };
  const write = input.kind === "pipeline" ? publishPipeline : publishModel;
  return { parts: await write(publication), notices };
}

const tokenizerNotice =
  "The folder has no tokenizer, which checkpoints do not hold: pass a folder with one, such as a " +
  "download of roberta-base.";

function ldmNotices(
  { sources }: Input,
  { weights = "raw" }: ConvertOptions,
  scalingFactor: number | null,
): readonly string[] {
  const names = [...(sources.main?.stored.keys() ?? [])];
  const hasAverages = names.some((name) => name.startsWith("model_ema.diffusion_model"));
  return [
    ...(hasAverages && weights === "raw"
      ? ['The checkpoint has averaged weights too, which its authors sample with: weights "ema".']
      : []),
    ...(scalingFactor === null
      ? ["The checkpoint has no scale_factor: the published one of the pipeline is assumed."]
      : []),
  ];
}

/** The factor that latents are multiplied by, stored beside the networks. */
async function readScale({ sources }: Input): Promise<number | null> {
  const { main } = sources;
  const name = [...(main?.stored ?? [])].find(([plain]) => isScale(plain))?.[1];
  if (main === undefined || name === undefined) return null;
  using scale = await main.checkpoint.tensor(name, { dtype: "float32" });
  using first = await scale.reshape([1]);
  return await first.item();
}

/** Whether a generator has a mean and a scale of its mel bins that do something. */
async function hasStatistics({ layout }: Input, parts: readonly Part[]): Promise<boolean> {
  const part = parts.find(({ name, shapes }) => name === "vocoder" && shapes.has("mean"));
  if (part === undefined || layout !== "huggingface") return part !== undefined;
  for (const [name, plain] of [
    ["mean", 0],
    ["scale", 1],
  ] as const) {
    using tensor = await part.source.checkpoint.tensor(part.stored.get(name) ?? name);
    if ((await tensor.floats()).some((value) => value !== plain)) return true;
  }
  return false;
}

async function back({ input, plan, output, options }: Job): Promise<Outcome> {
  const parts = await restore(output, plan.parts, input, options);
  const isBare = plan.parts.some(({ name, plan: { kept } }) => name === "clap" && !kept.length);
  return { parts, notices: isBare ? [bareNotice] : [] };
}

const bareNotice =
  "Nothing of laion_clap's own was kept in the folder (transforms, masks and heads that take no " +
  "part in embeddings): its program has to load the file with strict=False.";

function totals(
  parts: readonly ConvertedPart[],
): Pick<ConvertResult, "parts" | "tensors" | "elements" | "bytes"> {
  const sum = (key: "tensors" | "elements" | "bytes"): number =>
    parts.reduce((all, part) => all + part[key], 0);
  return { parts, tensors: sum("tensors"), elements: sum("elements"), bytes: sum("bytes") };
}

/** What was taken along without a place, and what was left behind. */
function leftOver(
  { parts, outside }: Plan,
  keep: boolean,
  direction: "published" | "original",
): Pick<ConvertResult, "kept" | "dropped"> {
  const stored = (part: Part, names: readonly string[]): readonly string[] =>
    names.map((name) => part.stored.get(name) ?? name);
  const beside = parts.flatMap((part) =>
    stored(
      part,
      part.plan.kept.flatMap(({ from }) => from),
    ),
  );
  const dropped = [...outside, ...parts.flatMap((part) => stored(part, part.plan.dropped))];
  if (keep || direction === "original") return { kept: beside, dropped };
  return { kept: [], dropped: [...dropped, ...beside] };
}
