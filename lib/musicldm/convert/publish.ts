import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { makeTensors } from "../../checkpoint/convert/part.js";
import type { Part } from "../../checkpoint/convert/part.js";
import type { Json } from "../../checkpoint/convert/types.js";
import { writeFolder, writeJson } from "../../checkpoint/draft.js";
import { textTables } from "../../checkpoint/keys/clap.js";
import { writeSafetensors } from "../../checkpoint/safetensors.js";
import { extractorSettings } from "../../clap/presets.js";
import { throwIfAborted } from "../../runtime/native.js";
import { Tensor } from "../../tensor/tensor.js";
import { modelIndex } from "../index-file.js";
import { componentConfig, wholeClap } from "./configs.js";
import type { ConfigContext } from "./configs.js";
import { copyInto } from "./tokenizer.js";
import type { ConvertedPart, ConvertOptions } from "./types.js";
import { verifyPart } from "./verify.js";

/** transformers refuses a file without this. */
const metadata = { format: "pt" };

/** A conversion to the published layout that is decided. */
export interface Publication {
  readonly folder: string;
  readonly parts: readonly Part[];
  readonly context: ConfigContext;
  /** Files to copy, or none. */
  readonly tokenizer: readonly string[];
  readonly options: ConvertOptions;
}

/** Write one network as a folder of its own: a CLAP or a vocoder. */
export async function publishModel(publication: Publication): Promise<readonly ConvertedPart[]> {
  const { folder, parts, context, tokenizer, options } = publication;
  return writeFolder(folder, options.force === true, async (draft) => {
    const written: ConvertedPart[] = [];
    for (const part of parts) {
      const isClap = part.name === "clap";
      const config = isClap ? wholeClap(part, context.settings) : componentConfig(part, context);
      written.push(await writePart(draft, "model", { part, config }, options));
      reportPart(options, written.length, parts);
      if (!isClap) continue;
      await writeJson(draft, "preprocessor_config.json", extractorOf(part, config, context));
      await copyInto(draft, tokenizer);
    }
    throwIfAborted(options.signal);
    return written;
  });
}

/**
 * How the audio input of a CLAP is made: the filter bank and what becomes of long audio follow from
 * whether the model fuses several mels.
 */
function extractorOf({ keptShapes }: Part, config: Json, { settings }: ConfigContext): Json {
  const audio = config["audio_config"] as Json;
  const matrix = "audio_branch.spectrogram_extractor.stft.conv_real.weight";
  return {
    ...extractorSettings,
    feature_size: audio["num_mel_bins"],
    ...(keptShapes.has(matrix) && { fft_window_size: keptShapes.size(matrix, 2) }),
    truncation: audio["enable_fusion"] === true ? "fusion" : "rand_trunc",
    ...settings.extractor,
  };
}

/** Write a whole pipeline in the folder layout of diffusers. */
export async function publishPipeline(publication: Publication): Promise<readonly ConvertedPart[]> {
  const { folder, parts, context, tokenizer, options } = publication;
  const { preset, settings } = context;
  return writeFolder(folder, options.force === true, async (draft) => {
    const written: ConvertedPart[] = [];
    let config: Json = {};
    for (const part of parts) {
      const stem =
        part.name === "unet" || part.name === "vae" ? "diffusion_pytorch_model" : "model";
      const own = componentConfig(part, context);
      if (part.name === "text_encoder") config = own;
      written.push(await writePart(join(draft, part.name), stem, { part, config: own }, options));
      reportPart(options, written.length, parts);
    }
    await writeJson(join(draft, "scheduler"), "scheduler_config.json", {
      ...preset.scheduler,
      ...settings.scheduler,
    });
    await writeExtractor(draft, parts, { config, context });
    if (tokenizer.length > 0) await copyInto(join(draft, "tokenizer"), tokenizer);
    await writeJson(draft, "model_index.json", modelIndex(preset));
    throwIfAborted(options.signal);
    return written;
  });
}

async function writeExtractor(
  draft: string,
  parts: readonly Part[],
  { config, context }: { readonly config: Json; readonly context: ConfigContext },
): Promise<void> {
  const text = parts.find(({ name }) => name === "text_encoder");
  if (context.preset.extractor === null || text === undefined) return;
  const extractor = extractorOf(text, config, context);
  await writeJson(join(draft, "feature_extractor"), "preprocessor_config.json", extractor);
}

/** Tell how many networks are done. */
export function reportPart(
  { onProgress }: ConvertOptions,
  step: number,
  parts: readonly unknown[],
): void {
  onProgress?.({ stage: "convert", step, totalSteps: parts.length });
}

interface Sheet {
  readonly part: Part;
  readonly config: Json;
}

/** Write the tensors and the configuration of a network, and open them again. */
async function writePart(
  folder: string,
  stem: string,
  { part, config }: Sheet,
  options: ConvertOptions,
): Promise<ConvertedPart> {
  const { dtype, keep = true, signal } = options;
  await mkdir(folder, { recursive: true });
  await writeJson(folder, "config.json", config);
  const path = join(folder, `${stem}.safetensors`);
  const tensors = await makeTensors(part, { dtype, keep, signal });
  try {
    await addTables(tensors, part, config);
    await writeSafetensors(path, tensors, metadata, { signal });
    const { name } = part;
    await verifyPart({ name, config, path }, options);
    return { name, ...count(tensors), config };
  } finally {
    for (const tensor of Object.values(tensors)) tensor.dispose();
  }
}

const elementBytes = { float32: 4, float16: 2, bfloat16: 2, int64: 8, bool: 1 } as const;

/** How many tensors, elements and bytes there are. */
export function count(
  tensors: Readonly<Record<string, Tensor>>,
): Pick<ConvertedPart, "tensors" | "elements" | "bytes"> {
  const sizes = Object.values(tensors).map(({ shape, dtype }) => {
    const elements = shape.reduce((product, size) => product * size, 1);
    return { elements, bytes: elements * elementBytes[dtype] };
  });
  const sum = (key: "elements" | "bytes"): number =>
    sizes.reduce((all, each) => all + each[key], 0);
  return { tensors: sizes.length, elements: sum("elements"), bytes: sum("bytes") };
}

/** Add what the published classes store beside their weights, where it is not there yet. */
async function addTables(
  tensors: Record<string, Tensor>,
  { name }: Part,
  config: Json,
): Promise<void> {
  if (name === "vocoder") {
    const bins = [config["model_in_dim"] as number];
    tensors["mean"] ??= await Tensor.zeros(bins);
    tensors["scale"] ??= await Tensor.ones(bins);
    return;
  }
  const text = (config["text_config"] ?? config) as Json;
  if (text["model_type"] !== "clap_text_model") return;
  const length = text["max_position_embeddings"] as number;
  const [positions, types] = textTables;
  tensors[positions] ??= await counting(length);
  tensors[types] ??= await Tensor.zeros([1, length], { dtype: "int64" });
}

async function counting(length: number): Promise<Tensor> {
  using counts = await Tensor.arange(0, length);
  return await counts.reshape([1, length]);
}
