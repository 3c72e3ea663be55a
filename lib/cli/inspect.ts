import { open, stat } from "node:fs/promises";
import type { Command } from "commander";
import type { AudioProbe } from "../audio/decoder/protocol.js";
import type { AudioFileInfo } from "../audio/types.js";
import type { CheckpointReport, ComponentReport } from "../checkpoint/inspect.js";
import { print, printJson } from "./session.js";
import type { Session } from "./session.js";

interface InspectFlags {
  readonly json?: boolean;
  readonly tensors?: boolean;
}

const notes = `
Examples:
  $ musicldm inspect piano.wav                 prompt, seed, solver, steps, weights, version
  $ musicldm inspect epoch_15.pt               what a torch file holds; nothing in it is run
  $ musicldm inspect ./model                   components, configurations, totals
  $ musicldm inspect ./model/unet --tensors    every tensor with dtype, shape and size
  $ musicldm inspect song.mp3                  codec, length and tags of any audio file
  $ musicldm inspect piano.wav --json | jq -r .metadata.settings.seed`;

/** Declare `inspect`. */
export function addInspect(program: Command, session: Session): void {
  program
    .command("inspect")
    .summary("read back the settings of a music file, or describe a checkpoint")
    .description("Describe an audio file, a safetensors or torch file, or a model folder.")
    .argument("<path>", "file or folder")
    .option("--tensors", "list every tensor of a checkpoint")
    .option("--json", "print one JSON document")
    .option("--verbose", "print stack traces")
    .addHelpText("after", notes)
    .action((path: string, flags: InspectFlags) => runInspect(path, flags, session));
}

async function runInspect(path: string, flags: InspectFlags, session: Session): Promise<void> {
  session.signal.throwIfAborted();
  if (await looksLikeAudio(path)) {
    const { readAudioInfo } = await import("../audio/files.js");
    const info = await readAudioInfo(path);
    return flags.json ? printJson(info) : print(describeAudio(info).join("\n"));
  }
  if (otherAudio.test(path)) {
    const { probeAudio } = await import("../audio/load.js");
    const info = await probeAudio(path, { signal: session.signal });
    return flags.json ? printJson(info) : print(describeProbe(info).join("\n"));
  }
  const { inspectCheckpoint } = await import("../checkpoint/inspect.js");
  const report = await inspectCheckpoint(path);
  if (flags.json) return printJson(flags.tensors ? report : withoutTensors(report));
  await print(describeCheckpoint(report, flags.tensors === true).join("\n"));
}

/** Names of audio that needs a decoder. */
const otherAudio = /\.(mp3|m4a|mp4|aac|ogg|oga|opus|webm|mka|aiff?|caf|wv)$/i;

/** By its first bytes, or by its name when it is too short to have any. */
async function looksLikeAudio(path: string): Promise<boolean> {
  const start = Buffer.alloc(4);
  try {
    // Opening a pipe would wait for whoever writes into it.
    if (!(await stat(path)).isFile()) return false;
    await using file = await open(path, "r");
    await file.read(start, 0, 4, 0);
  } catch {
    return false;
  }
  return ["RIFF", "fLaC"].includes(start.toString("latin1")) || /\.(wave?|flac)$/i.test(path);
}

function describeAudio(info: AudioFileInfo): string[] {
  const { metadata } = info;
  const rate = `${rateText(info)}, ${info.bitDepth} bits`;
  const length = `${info.seconds.toFixed(3)} s (${info.sampleCount} samples)`;
  const tags = [
    ["title", metadata.title],
    ["software", metadata.software],
    ["date", metadata.date],
    ...Object.entries(metadata.settings ?? {}),
  ];
  return [`${info.format}: ${rate}, ${length}`, ...tagRows(tags)];
}

function describeProbe(info: AudioProbe): string[] {
  const length = info.seconds === null ? "unknown length" : `${info.seconds.toFixed(3)} s`;
  const title = `${info.container}, ${info.codec}: ${rateText(info)}, ${length}`;
  return [oneLine(title), ...tagRows(Object.entries(info.tags))];
}

function rateText({ sampleRate, channelCount }: AudioFileInfo | AudioProbe): string {
  return `${sampleRate} Hz, ${channelCount === 1 ? "mono" : `${channelCount} channels`}`;
}

function tagRows(tags: readonly (readonly unknown[])[]): string[] {
  return tags.flatMap(([name, value]) =>
    value === undefined ? [] : [`${oneLine(name).padEnd(15)} ${oneLine(value)}`],
  );
}

/** Text from a file, without control characters that a terminal would obey. */
function oneLine(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.replace(/\p{Cc}/gu, " ");
}

function bytesText(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log2(bytes || 1) / 10)));
  return `${(bytes / 2 ** (10 * power)).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}

function withoutTensors(report: CheckpointReport): unknown {
  const components = report.components.map(({ entries: _, ...component }) => component);
  return { ...report, components };
}

function totalsText(totals: { tensors: number; elements: number; bytes: number }): string {
  const elements = totals.elements.toLocaleString("en");
  return `${totals.tensors} tensors, ${elements} elements, ${bytesText(totals.bytes)}`;
}

function describeCheckpoint(report: CheckpointReport, listTensors: boolean): string[] {
  const title = oneLine([report.kind, report.pipeline].filter(Boolean).join(" "));
  const parts = report.components.flatMap((component) => describeComponent(component, listTensors));
  return [`${title}: ${totalsText(report)}`, ...parts];
}

function describeComponent(component: ComponentReport, listTensors: boolean): string[] {
  const lines = [`${oneLine(component.name)}: ${totalsText(component)}`];
  for (const [dtype, totals] of Object.entries(component.dtypes)) {
    lines.push(`  ${dtype}: ${totalsText(totals)}`);
  }
  for (const { path, bytes } of component.files) lines.push(`  file ${path} (${bytesText(bytes)})`);
  for (const [key, value] of Object.entries(component.metadata)) {
    lines.push(`  metadata ${oneLine(key)} = ${oneLine(value)}`);
  }
  for (const [key, value] of Object.entries(component.config ?? {})) {
    if (!key.startsWith("_")) lines.push(`  ${oneLine(key)} = ${oneLine(value)}`);
  }
  if (!listTensors) return lines;
  const rows = component.entries.map(({ name, dtype, shape, bytes }) => {
    return `  ${oneLine(name)} ${dtype} [${shape.join(", ")}] ${bytesText(bytes)}`;
  });
  return [...lines, ...rows];
}
