import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { writeAudio, writeAudioTo } from "../audio/index.js";
import type { AudioFormat, AudioMetadata } from "../audio/types.js";
import { writeSafetensors } from "../checkpoint/safetensors.js";
import type { GenerationResult } from "../musicldm/types.js";
import { toMusicLDMError } from "../runtime/errors.js";
import { makeFolders } from "../runtime/folders.js";
import { Tensor } from "../tensor/tensor.js";
import { UsageError } from "./failure.js";
import type { GenerateFlags } from "./generate.js";
import { chooseFormat, nameOutputs } from "./names.js";
import type { OutputItem } from "./names.js";

/** Where results go; decided before anything is computed. */
export interface Delivery {
  readonly kind: "waveform" | "mel" | "latent";
  /** `"-"` is standard output. */
  readonly output: string | undefined;
  readonly format: AudioFormat;
  readonly flacBits: 16 | 24;
  readonly overwrite: boolean;
  readonly saveLatents: string | undefined;
}

/** Settings of an edit that travel in the file beside the result's own. */
export type EditNotes = Readonly<Record<string, unknown>>;

/** Decide where results go. @throws UsageError */
export function planDelivery(flags: GenerateFlags): Delivery {
  const output = flags.output ?? flags.out;
  const { outputKind: kind, saveLatents, overwrite } = flags;
  const isStream = output === "-";
  if (isStream && flags.json) throw new UsageError("--json excludes --output -");
  if (kind !== "waveform") {
    if (!output || isStream) throw new UsageError(`--output-kind ${kind} needs --output FILE`);
    if (flags.format) throw new UsageError(`--format excludes --output-kind ${kind}`);
    if (saveLatents) throw new UsageError(`--save-latents excludes --output-kind ${kind}`);
  }
  const format = kind === "waveform" ? chooseFormat(output, flags.format) : "wav";
  if (flags.flacBits && format !== "flac") throw new UsageError("--flac-bits needs a FLAC file");
  const flacBits = flags.flacBits === "24" ? 24 : 16;
  return { kind, output, format, flacBits, overwrite, saveLatents };
}

/** Refuse to replace files, as far as their names are known already. @throws UsageError */
export function refuseExisting(delivery: Delivery, names: readonly string[]): void {
  if (delivery.overwrite) return;
  const found = names.find((name) => name !== "-" && existsSync(name));
  if (found !== undefined) throw new UsageError(`--no-overwrite: ${found} exists`);
}

/** List what is made, prompt-major. */
export function listItems(
  prompts: readonly string[],
  count: number,
  seeds: readonly number[],
): readonly OutputItem[] {
  return seeds.map((seed, i) => ({ seed, prompt: prompts[Math.floor(i / count)] ?? "" }));
}

/** Names of the files that a delivery writes. @throws UsageError for several items in one stream */
export function deliveryNames(delivery: Delivery, items: readonly OutputItem[]): readonly string[] {
  const { kind, output, format, saveLatents } = delivery;
  if (kind !== "waveform") return [output ?? ""];
  if (output === "-" && items.length > 1) {
    throw new UsageError(`--output - takes one item but ${items.length} are asked for`);
  }
  const names = output === "-" ? ["-"] : nameOutputs(output, items, format);
  return saveLatents ? [...names, saveLatents] : names;
}

function metadataOf(result: GenerationResult, index: number, notes: EditNotes): AudioMetadata {
  const { prompts, negativePrompts, count, ...settings } = result.settings;
  const row = Math.floor(index / count);
  const prompt = prompts[row] ?? "";
  return {
    title: prompt,
    software: `musicldm-native ${settings.version}`,
    date: new Date().toISOString().slice(0, 10),
    settings: {
      prompt,
      negativePrompt: negativePrompts[row] ?? "",
      seed: result.seeds[index],
      ...settings,
      ...notes,
    },
  };
}

async function makeParent(path: string): Promise<void> {
  await makeFolders(dirname(path)).catch((error: unknown) => {
    throw toMusicLDMError(error);
  });
}

async function writeWaveforms(
  result: GenerationResult,
  delivery: Delivery,
  names: readonly string[],
  notes: EditNotes,
): Promise<void> {
  for (const [index, samples] of result.waveforms.entries()) {
    const clip = { channels: [samples], sampleRate: result.sampleRate };
    const { format, flacBits } = delivery;
    const options = { format, flacBits, metadata: metadataOf(result, index, notes) };
    const name = names[index] ?? "";
    if (name === "-") {
      await writeAudioTo(process.stdout, clip, options);
    } else {
      await makeParent(name);
      await writeAudio(name, clip, options);
    }
  }
}

function tensorMetadata({ settings, seeds }: GenerationResult): Record<string, string> {
  return { musicldm: JSON.stringify({ ...settings, seeds }), format: "pt" };
}

async function writeTensors(path: string, result: GenerationResult): Promise<void> {
  const { latents, mel, waveforms } = result;
  const length = waveforms[0]?.length ?? 0;
  const samples = new Float32Array(length * waveforms.length);
  waveforms.forEach((waveform, i) => samples.set(waveform, i * length));
  using waveform = await Tensor.from(samples, [waveforms.length, length]);
  await makeParent(path);
  await writeSafetensors(
    path,
    { ...(latents && { latents }), ...(mel && { mel }), ...(length > 0 && { waveform }) },
    tensorMetadata(result),
  );
}

/** Write everything that was asked for. @throws E_IO, E_AUDIO */
export async function deliver(
  result: GenerationResult,
  delivery: Delivery,
  names: readonly string[],
  notes: EditNotes,
): Promise<void> {
  if (delivery.kind !== "waveform") return writeTensors(names[0] ?? "", result);
  await writeWaveforms(result, delivery, names, notes);
  if (delivery.saveLatents) await writeTensors(delivery.saveLatents, result);
}
