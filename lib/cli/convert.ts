import { InvalidArgumentError, Option } from "commander";
import type { Command } from "commander";
import { convertedDtypes, settingParts, targetNames } from "../musicldm/convert/types.js";
import type { ConvertOptions, ConvertResult } from "../musicldm/convert/types.js";
import { createProgress } from "./progress.js";
import { print, printJson } from "./session.js";
import type { Session } from "./session.js";

type Settings = NonNullable<ConvertOptions["settings"]>;

interface ConvertFlags {
  readonly to?: ConvertOptions["to"];
  readonly tokenizer?: string;
  readonly dtype?: ConvertOptions["dtype"];
  readonly ema?: boolean;
  readonly pipeline: NonNullable<ConvertOptions["pipeline"]>;
  readonly keep: boolean;
  readonly set?: Settings;
  readonly force?: boolean;
  readonly quiet?: boolean;
  readonly json?: boolean;
}

const notes = `
IN is found by what it holds, whatever its name:
  laion_clap          CLAP with HTSAT or PANN and any text tower
  MusicLDM, AudioLDM  the whole .ckpt: CLAP, UNet, autoencoder and vocoder
  HiFi-GAN            a generator (g_02500000), with weight norm or without
  Hugging Face        a file or folder with transformers' or diffusers' names

The configuration is read from the shapes of the tensors. What shapes do not tell (head widths,
group counts, epsilons, strides) is that of the published models; --set changes it, and the summary
shows all of it. What the layout of Hugging Face has no place for is kept in the same file under
"original.", so that converting back gives every tensor again; --no-keep leaves it out.

Tokenizers are not in checkpoints: --tokenizer copies the files of a folder.

Examples:
  $ musicldm convert 630k-audioset-best.pt ./clap --tokenizer ./roberta-base
  $ musicldm convert ./clap back.pt --to laion
  $ musicldm convert musicldm.ckpt ./musicldm --tokenizer ./roberta-base --ema
  $ musicldm convert audioldm-s-full.ckpt ./audioldm --pipeline audioldm --dtype float16
  $ musicldm convert g_02500000 ./vocoder --set 'vocoder.upsample_rates=[8,8,2,2]'`;

/** Declare `convert`. */
export function addConvert(program: Command, session: Session): void {
  program
    .command("convert")
    .summary("turn published checkpoints into model folders, or back")
    .description("Convert a checkpoint to the layout of Hugging Face, or back, without loss.")
    .argument("<in>", "a checkpoint file, or a folder in the layout of Hugging Face")
    .argument("<out>", "a folder; with --to laion, ldm or hifigan a file (.pt or .safetensors)")
    .addOption(new Option("--to <layout>", "layout to write").choices(targetNames))
    .option("--tokenizer <folder>", "copy the tokenizer's files from there")
    .addOption(new Option("--dtype <dtype>", "of the weights").choices(convertedDtypes))
    .option("--ema", "take the averaged weights of the UNet")
    .addOption(
      new Option("--pipeline <name>", "what a MusicLDM or AudioLDM checkpoint becomes")
        .choices(["musicldm", "audioldm"])
        .default("musicldm"),
    )
    .option("--no-keep", "leave out what the layout has no place for")
    .option("--set <part.key=value>", "set a value of a configuration (repeatable)", collectSetting)
    .option("--force", "replace what is at <out>")
    .option("--json", "print one JSON document")
    .option("-q, --quiet", "print nothing but errors")
    .option("--verbose", "print stack traces")
    .addHelpText("after", notes)
    .action((input: string, output: string, flags: ConvertFlags) =>
      runConvert(input, output, flags, session),
    );
}

/** Parse `unet.norm_num_groups=4` and add it to the settings before it; values are JSON. */
export function collectSetting(text: string, before: Settings = {}): Settings {
  const [, name = "", key = "", value = ""] = /^(\w+)\.(\w+)=(.+)$/s.exec(text) ?? [];
  const part = settingParts.find((known) => known === name);
  if (part === undefined) {
    const what = `PART.KEY=VALUE with PART out of ${settingParts.join(", ")}`;
    throw new InvalidArgumentError(`Expected ${what} but received ${JSON.stringify(text)}`);
  }
  return { ...before, [part]: { ...before[part], [key]: jsonOr(value) } };
}

/** A value that is no JSON is a text. */
function jsonOr(value: string): unknown {
  try {
    return JSON.parse(value) as unknown;
  } catch {
    return value;
  }
}

async function runConvert(
  input: string,
  output: string,
  flags: ConvertFlags,
  session: Session,
): Promise<void> {
  const { convertCheckpoint } = await import("../musicldm/convert/convert.js");
  const { to, tokenizer, dtype, pipeline, keep, force, quiet = false } = flags;
  const progress = await createProgress(quiet);
  const result = await convertCheckpoint({
    input,
    output,
    to,
    tokenizer,
    dtype,
    pipeline,
    keep,
    force,
    weights: flags.ema === true ? "ema" : "raw",
    settings: flags.set,
    onProgress: progress.report,
    signal: session.signal,
  }).finally(progress.stop);
  if (flags.json) return printJson(result);
  if (!quiet) await print(describe(result).join("\n"));
}

function describe(result: ConvertResult): readonly string[] {
  const { kind, layout, parts, kept, dropped, notices } = result;
  const total = `${result.tensors} tensors, ${result.elements.toLocaleString("en")} elements`;
  return [
    `Found a ${kind} in the layout ${layout}: ${result.input}`,
    `Wrote ${total} to ${result.output} (${result.to})`,
    ...parts.flatMap(({ name, tensors, config }) => [
      `${name}: ${tensors} tensors`,
      ...(config === null ? [] : configLines(config)),
    ]),
    ...listed('kept under "original."', kept),
    ...listed("dropped", dropped),
    ...notices.map((notice) => `note: ${notice}`),
  ];
}

function configLines(config: Readonly<Record<string, unknown>>, indent = "  "): readonly string[] {
  return Object.entries(config).flatMap(([key, value]) => {
    const isNested = typeof value === "object" && value !== null && !Array.isArray(value);
    if (!isNested) return [`${indent}${key} = ${JSON.stringify(value)}`];
    const nested = value as Readonly<Record<string, unknown>>;
    return [`${indent}${key}:`, ...configLines(nested, `${indent}  `)];
  });
}

/** Names by their first two parts, with how many there are of each. */
function listed(title: string, names: readonly string[]): readonly string[] {
  if (names.length === 0) return [];
  const counts = new Map<string, number>();
  for (const name of names) {
    const group = name.split(".").slice(0, 2).join(".");
    counts.set(group, (counts.get(group) ?? 0) + 1);
  }
  const rows = [...counts].map(([group, count]) => `  ${group} (${count})`);
  return [`${title}: ${names.length} tensors`, ...rows];
}
