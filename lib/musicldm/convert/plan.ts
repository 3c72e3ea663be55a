import { under, planPart } from "../../checkpoint/convert/part.js";
import type { Part } from "../../checkpoint/convert/part.js";
import { isPann } from "../../checkpoint/convert/clap-config.js";
import type { Input, Source } from "../../checkpoint/convert/source.js";
import { autoencoderLayout } from "../../checkpoint/keys/autoencoder.js";
import { clapLayout, clapTextLayout } from "../../checkpoint/keys/clap.js";
import { keptPrefix } from "../../checkpoint/keys/plan.js";
import type { Direction } from "../../checkpoint/keys/plan.js";
import { same } from "../../checkpoint/keys/table.js";
import type { KeyLayout } from "../../checkpoint/keys/table.js";
import {
  countOf,
  originalUNetShape,
  publishedUNetShape,
  unetLayout,
} from "../../checkpoint/keys/unet.js";
import { vocoderLayout, weightFormOf } from "../../checkpoint/keys/vocoder.js";
import type { WeightForm } from "../../checkpoint/keys/vocoder.js";
import { expected } from "../../runtime/errors.js";

/** The networks of a conversion by their names, and what of the input belongs to none. */
export interface Plan {
  readonly parts: readonly Part[];
  readonly outside: readonly string[];
}

/** Where the networks lie in the names of an original latent-diffusion checkpoint. */
export const ldmPrefixes = {
  text_encoder: "cond_stage_model.model.",
  unet: "model.diffusion_model.",
  vae: "first_stage_model.",
  vocoder: "first_stage_model.vocoder.",
} as const;

/** How AudioLDM's training code calls the conditioner, which may be one of several. */
const listedConditioner = "cond_stage_models.0.model.";

/** A layout that keeps every name. */
const identity: KeyLayout = { rows: [same("{rest}")], extra: [], derived: [] };

export interface PlanOptions {
  readonly direction: Direction;
  readonly weights: "raw" | "ema";
  readonly textOnly: boolean;
}

/** Decide on every tensor of an input. Errors: `E_CHECKPOINT`. */
export function planConversion(input: Input, options: PlanOptions): Plan {
  const { kind, layout, sources } = input;
  const { main } = sources;
  if (kind === "pipeline") {
    return layout === "ldm" && main !== undefined
      ? planLdm(input, main, options)
      : planComponents(input);
  }
  if (main === undefined) throw expected("E_CHECKPOINT", "one checkpoint", input.path, "several");
  const isIdentity = layout === "huggingface" && options.direction === "published";
  const names = [...main.stored.keys()];
  const layoutOf = kind === "clap" ? clapKeys(names) : vocoderKeys(main, options.direction);
  const request = {
    name: kind,
    file: input.path,
    source: main,
    stored: main.stored,
    layout: isIdentity ? identity : layoutOf,
    direction: options.direction,
  };
  return { parts: [planPart(request)], outside: main.outside };
}

function clapKeys(names: readonly string[]): KeyLayout {
  return clapLayout(isPann({ names }) ? "pann" : "htsat");
}

/** A generator file written anew has the weight norm that the original's loader expects. */
function vocoderKeys({ stored, config }: Source, direction: Direction): KeyLayout {
  const names = [...stored.keys()];
  if (direction === "published") {
    return vocoderLayout(weightFormOf(names) ?? "plain", names.includes("mean"));
  }
  const form = keptForm(names) ?? "weight_norm";
  return vocoderLayout(form, config?.["normalize_before"] === true);
}

/** The form whose magnitudes and directions were kept. */
function keptForm(names: readonly string[]): WeightForm | null {
  const kept = names.filter((name) => name.startsWith(keptPrefix));
  return weightFormOf(kept.map((name) => name.slice(keptPrefix.length)));
}

function planLdm(input: Input, source: Source, options: PlanOptions): Plan {
  const { path: file } = input;
  const vocoder = under(source, ldmPrefixes.vocoder);
  const vae = without(under(source, ldmPrefixes.vae), "vocoder.");
  const unet = unetNames(source, options.weights);
  const listed = under(source, listedConditioner);
  const text = listed.size > 0 ? listed : under(source, ldmPrefixes.text_encoder);
  const plan = (name: string, stored: ReadonlyMap<string, string>, layout: KeyLayout): Part => {
    if (stored.size > 0) {
      return planPart({ name, file, source, stored, layout, direction: "published" });
    }
    const isAverage = name === "unet" && options.weights === "ema";
    const what = isAverage ? "averaged weights (model_ema.*)" : `tensors of the ${name}`;
    throw expected("E_CHECKPOINT", what, file, "none", { file, part: name });
  };
  const keys = (names: ReadonlyMap<string, string>): readonly string[] => [...names.keys()];
  const form = weightFormOf(keys(vocoder)) ?? "plain";
  const parts = [
    plan("text_encoder", text, options.textOnly ? clapTextLayout : clapKeys(keys(text))),
    plan("unet", unet, unetLayout(originalUNetShape(keys(unet)))),
    plan("vae", vae, autoencoderLayout(countOf(keys(vae), /^encoder\.down\.(\d+)\./))),
    plan("vocoder", vocoder, vocoderLayout(form, vocoder.has("mean"))),
  ];
  const used = new Set(parts.flatMap(({ stored }) => [...stored.values()]));
  const others = [...source.stored.values()].filter((name) => !used.has(name));
  return { parts, outside: [...source.outside, ...others.filter((name) => !isScale(name))] };
}

/** The scale of the latents, which goes into the configuration. */
export function isScale(name: string): boolean {
  return name === "scale_factor" || name.endsWith(".scale_factor");
}

function without(names: ReadonlyMap<string, string>, prefix: string): ReadonlyMap<string, string> {
  return new Map([...names].filter(([name]) => !name.startsWith(prefix)));
}

/** Moving averages are stored beside the weights, under their names without dots. */
function unetNames(source: Source, weights: "raw" | "ema"): ReadonlyMap<string, string> {
  const raw = under(source, ldmPrefixes.unet);
  if (weights === "raw") return raw;
  const flat = (name: string): string => `diffusion_model.${name}`.replaceAll(".", "");
  const averaged = under(source, "model_ema.");
  return new Map(
    [...raw.keys()].flatMap((name) => {
      const stored = averaged.get(flat(name));
      return stored === undefined ? [] : [[name, stored] as const];
    }),
  );
}

/** A pipeline's components, on their way to an original checkpoint. */
function planComponents({ path, sources }: Input): Plan {
  const { text_encoder: text, unet, vae, vocoder } = sources;
  const plan = (name: string, source: Source | undefined, keys: LayoutOf): Part[] => {
    if (source === undefined) return [];
    const { stored } = source;
    const layout = keys([...stored.keys()]);
    return [planPart({ name, file: path, source, stored, layout, direction: "original" })];
  };
  const isWhole = text?.stored.has("logit_scale_a") === true;
  const normalises = vocoder?.config?.["normalize_before"] === true;
  const parts = [
    ...plan("text_encoder", text, isWhole ? clapKeys : () => clapTextLayout),
    ...plan("unet", unet, (names) => unetLayout(publishedUNetShape(names))),
    ...plan("vae", vae, (names) =>
      autoencoderLayout(countOf(names, /^encoder\.down_blocks\.(\d+)\./)),
    ),
    ...plan("vocoder", vocoder, (names) => vocoderLayout(keptForm(names) ?? "plain", normalises)),
  ];
  return { parts, outside: [] };
}

type LayoutOf = (names: readonly string[]) => KeyLayout;
