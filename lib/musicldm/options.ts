import * as z from "zod";
import { Clap } from "../clap/clap.js";
import { solverNames } from "../diffusion/solvers/index.js";
import { expected } from "../runtime/errors.js";
import { Tensor } from "../tensor/tensor.js";
import { chooseSampler, qualityNames } from "./quality.js";
import type { Quality, Sampler } from "./quality.js";
import type { EditOptions, GenerateOptions, SamplingOptions, SourceAudio } from "./types.js";

const text = z.string({ error: "a text" });
const texts = z.union([text, z.array(text).min(1)], { error: "a text or a list of texts" });
const seed = z.int().min(0);
const tensor = z.instanceof(Tensor, { error: "a Tensor" });

function whole(least: number, most: number) {
  const error = `an integer in ${least}..${most}`;
  return z.int({ error }).min(least, { error }).max(most, { error });
}

function real(least: number, most: number) {
  const error = `a number in ${least}..${most}`;
  return z.number({ error }).min(least, { error }).max(most, { error });
}

function choice<const T extends readonly string[]>(values: T) {
  return z.enum(values, { error: `one of ${values.join(", ")}` });
}

const levels = "[high, low] with high > low >= 0";
const level = z.number({ error: "a number of at least 0" }).min(0, { error: "at least 0" });
const guidanceInterval = z
  .tuple([level, level], { error: levels })
  .refine(([high, low]) => high > low, { error: levels });

const deepCache = z.strictObject(
  { interval: whole(1, 1000), branch: whole(0, 1000).default(0) },
  { error: "{ interval, branch }" },
);

const sampling = {
  prompt: texts.optional(),
  negativePrompt: texts.optional(),
  steps: whole(1, 1000).optional(),
  scheduler: choice(solverNames).optional(),
  quality: choice(qualityNames).default("standard"),
  guidanceScale: real(0, 100).default(2),
  guidanceInterval: guidanceInterval.optional(),
  deepCache: deepCache.optional(),
  eta: real(0, 1).default(0),
  sigmas: choice(["karras", "exponential"]).optional(),
  seed: z
    .union([seed, z.array(seed).min(1)], { error: "an integer in 0..2^53 - 1, or one per item" })
    .optional(),
  count: whole(1, 10_000).default(1),
  batchSize: whole(1, 10_000).optional(),
  promptEmbeds: tensor.optional(),
  negativePromptEmbeds: tensor.optional(),
  output: choice(["waveform", "mel", "latent"]).default("waveform"),
  intermediates: z.boolean({ error: "true or false" }).default(false),
  signal: z.instanceof(AbortSignal, { error: "an AbortSignal" }).optional(),
  onProgress: z.custom(isFunction, { error: "a function" }).optional(),
};

const seconds = z.number({ error: "a number of seconds" }).optional();

const generateSchema = z.strictObject({
  ...sampling,
  seconds,
  latents: tensor.optional(),
  loop: z.boolean({ error: "true or false" }).default(false),
  rerank: z
    .union([z.boolean(), z.strictObject({ clap: z.instanceof(Clap) })], {
      error: "true, false or { clap }",
    })
    .optional(),
});

const span = z.strictObject(
  { startSeconds: real(0, 1e6), endSeconds: real(0, 1e6) },
  { error: "{ startSeconds, endSeconds }" },
);

const audio = z.strictObject(
  {
    samples: z
      .instanceof(Float32Array, { error: "a Float32Array" })
      .refine(({ length }) => length > 0, { error: "at least one sample" }),
    sampleRate: whole(1, 768_000),
  },
  { error: "{ samples, sampleRate }" },
);

const editSchema = z.strictObject({
  ...sampling,
  seconds,
  audio,
  strength: z
    .number({ error: "a number above 0, up to 1" })
    .gt(0, { error: "a number above 0, up to 1" })
    .max(1, { error: "a number above 0, up to 1" })
    .optional(),
  mask: z.array(span, { error: "a list of spans" }).min(1, { error: "a list of spans" }).optional(),
});

function isFunction(value: unknown): boolean {
  return typeof value === "function";
}

type Defaulted = "guidanceScale" | "eta" | "count" | "output" | "intermediates";

/** Options with every default that does not depend on the model filled in. */
export type CheckedSampling = Omit<SamplingOptions, keyof Sampler | "quality"> &
  Required<Pick<SamplingOptions, Defaulted>> &
  Sampler;
export type CheckedGenerate = Omit<GenerateOptions, keyof SamplingOptions | "loop"> &
  CheckedSampling & { readonly loop: boolean };
export type CheckedEdit = Omit<EditOptions, keyof SamplingOptions> & CheckedSampling;

/** Check the options of `generate`. @throws E_ARGUMENT naming option, range and value */
export function checkGenerate(options: GenerateOptions): CheckedGenerate {
  return withSampler(parse(generateSchema, options)) as CheckedGenerate;
}

/** Check the options of `edit`. @throws E_ARGUMENT */
export function checkEdit(options: EditOptions): CheckedEdit {
  const checked = withSampler(parse(editSchema, options)) as CheckedEdit;
  if (checked.strength !== undefined && (checked.mask || checked.seconds !== undefined)) {
    throw expected("E_ARGUMENT", "strength, or mask and seconds", "edit", "both");
  }
  if (checked.strength === undefined && !checked.mask && checked.seconds === undefined) {
    throw expected("E_ARGUMENT", "strength, mask or seconds", "edit", "none of them");
  }
  return checked;
}

const samplerKeys = ["scheduler", "steps", "sigmas", "guidanceInterval", "deepCache"] as const;

/** Replace the preset by what it stands for. */
function withSampler(parsed: unknown): unknown {
  const { quality, ...options } = parsed as SamplingOptions & { readonly quality: Quality };
  const own = samplerKeys.filter((key) => options[key] !== undefined);
  const wanted = Object.fromEntries(own.map((key) => [key, options[key]]));
  return { ...options, ...chooseSampler(quality, wanted) };
}

/** Check a clip. @throws E_ARGUMENT */
export function checkAudio(source: SourceAudio): void {
  parse(z.strictObject({ audio }), { audio: source });
}

function parse(schema: z.ZodType, options: unknown): unknown {
  const result = schema.safeParse(withoutUndefined(options));
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  if (issue.code === "unrecognized_keys") {
    throw expected("E_ARGUMENT", "known options", "options", issue.keys.join(", "));
  }
  const received = issue.path.reduce<unknown>(
    (value, key) => (value as Record<PropertyKey, unknown> | undefined)?.[key],
    options,
  );
  const name = issue.path.join(".") || "options";
  throw expected("E_ARGUMENT", issue.message, name, received);
}

function withoutUndefined(options: unknown): unknown {
  if (typeof options !== "object" || options === null) return options;
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}
