import * as z from "zod";
import type { CallOptions } from "../runtime/abort.js";
import { requireOptions } from "../runtime/arguments.js";
import { expected } from "../runtime/errors.js";
import type { AudioPool, AudioWindows, EmbedAudioOptions, LabelTemplate } from "./types.js";

function real(least: number, most: number) {
  const error = `a number in ${least}..${most}`;
  return z.number({ error }).min(least, { error }).max(most, { error });
}

function whole(least: number, most: number) {
  const error = `an integer in ${least}..${most}`;
  return z.int({ error }).min(least, { error }).max(most, { error });
}

function choice<const T extends readonly string[]>(values: T) {
  return z.enum(values, { error: `one of ${values.join(", ")}` });
}

const call = {
  signal: z.instanceof(AbortSignal, { error: "an AbortSignal" }).optional(),
  onProgress: z.custom(isFunction, { error: "a function" }).optional(),
};

const schema = z.strictObject({
  ...call,
  windows: choice(["fixed", "fusion", "random"]).default("fixed"),
  windowSeconds: real(0.05, 3600).optional(),
  hopSeconds: real(0.01, 3600).optional(),
  pool: choice(["mean", "max", "timeline"]).default("mean"),
  seed: z.int({ error: "an integer in 0..2^53 - 1" }).min(0).optional(),
  batchSize: whole(1, 4096).default(8),
  inputSampleRate: whole(1, 768_000).default(48_000),
  channels: z
    .union([z.literal("mono"), z.int().min(0)], { error: '"mono" or the number of a channel' })
    .default("mono"),
});

/** What the audio side has to know of the model. */
export interface WindowLimits {
  /** Length of the model's own window. */
  readonly seconds: number;
  /** Hertz. */
  readonly sampleRate: number;
  readonly isFused: boolean;
}

/** Options with every default filled in. */
export interface CheckedEmbedAudio extends CallOptions {
  readonly windows: AudioWindows;
  readonly pool: AudioPool;
  readonly seed: number | undefined;
  readonly batchSize: number;
  readonly inputSampleRate: number;
  readonly channels: "mono" | number;
  /** Samples of a fixed window, and from one to the next. */
  readonly windowSamples: number;
  readonly hopSamples: number;
}

/** Check the options of `embedAudio`. @throws E_ARGUMENT naming option, range and value */
export function checkEmbedAudio(options: EmbedAudioOptions, limits: WindowLimits) {
  const checked = parse(options);
  const { windows, windowSeconds = limits.seconds, hopSeconds, pool, seed } = checked;
  if (windowSeconds > limits.seconds) {
    const what = `at most ${limits.seconds} s, the model's window,`;
    throw expected("E_ARGUMENT", what, "windowSeconds", windowSeconds);
  }
  if (hopSeconds !== undefined && hopSeconds > windowSeconds) {
    const what = `at most ${windowSeconds} s, so that nothing is skipped,`;
    throw expected("E_ARGUMENT", what, "hopSeconds", hopSeconds);
  }
  refuseMix(checked);
  if (windows === "fusion" && !limits.isFused) {
    throw expected(
      "E_ARGUMENT",
      '"fixed" or "random" (this model has no fusion)',
      "windows",
      windows,
    );
  }
  if (pool === "timeline" && windows !== "fixed") {
    throw expected("E_ARGUMENT", 'windows: "fixed"', 'pool "timeline"', windows);
  }
  if ((windows === "random") !== (seed !== undefined)) {
    const what = windows === "random" ? "a seed" : 'no seed without windows: "random"';
    throw expected("E_ARGUMENT", what, "seed", seed);
  }
  const windowSamples = Math.round(windowSeconds * limits.sampleRate);
  const hop = Math.round((hopSeconds ?? windowSeconds / 2) * limits.sampleRate);
  return { ...checked, windowSamples, hopSamples: Math.max(1, hop) } as CheckedEmbedAudio;
}

function refuseMix({ windows, windowSeconds, hopSeconds }: EmbedAudioOptions): void {
  if (windows === "fixed") return;
  for (const [name, value] of Object.entries({ windowSeconds, hopSeconds })) {
    if (value === undefined) continue;
    throw expected("E_ARGUMENT", 'windows: "fixed"', name, windows);
  }
}

function parse(options: EmbedAudioOptions): z.infer<typeof schema> & EmbedAudioOptions {
  requireOptions(options);
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  const result = schema.safeParse(Object.fromEntries(given));
  if (result.success) return result.data as z.infer<typeof schema> & EmbedAudioOptions;
  const issue = result.error.issues[0]!;
  if (issue.code === "unrecognized_keys") {
    throw expected("E_ARGUMENT", "known options", "options", issue.keys.join(", "));
  }
  const name = String(issue.path[0] ?? "options");
  throw expected("E_ARGUMENT", issue.message, name, Object.fromEntries(given)[name]);
}

function isFunction(value: unknown): boolean {
  return typeof value === "function";
}

const placeholder = "{label}";
const defaultTemplate = `This is a sound of ${placeholder}.`;

/** Make the texts of every label, template after template. @throws E_ARGUMENT */
export function labelTexts(
  labels: readonly string[],
  template: LabelTemplate | readonly LabelTemplate[] = defaultTemplate,
): readonly (readonly string[])[] {
  checkLabels(labels);
  const templates = (Array.isArray(template) ? template : [template]) as readonly LabelTemplate[];
  if (templates.length === 0) throw expected("E_ARGUMENT", "at least one", "template", template);
  return templates.map((one) => {
    if (typeof one === "function") return labels.map((label) => one(label));
    if (typeof one === "string" && one.includes(placeholder)) {
      return labels.map((label) => one.replaceAll(placeholder, () => label));
    }
    throw expected("E_ARGUMENT", `a text with ${placeholder}, or a function,`, "template", one);
  });
}

function checkLabels(labels: unknown): void {
  if (!Array.isArray(labels) || labels.length === 0) {
    throw expected("E_ARGUMENT", "at least one label", "labels", labels);
  }
  const isText = (label: unknown): boolean => typeof label === "string" && label !== "";
  const wrong = labels.findIndex((label) => !isText(label));
  if (wrong >= 0) throw expected("E_ARGUMENT", "a text", `labels[${wrong}]`, labels[wrong]);
}
