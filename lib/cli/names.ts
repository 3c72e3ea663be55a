import { statSync } from "node:fs";
import { extname, join, parse, sep } from "node:path";
import { formatOf } from "../audio/files.js";
import type { AudioFormat } from "../audio/types.js";
import { UsageError } from "./failure.js";

/** One file to be written. */
export interface OutputItem {
  readonly prompt: string;
  readonly seed: number;
}

const defaultPattern = "{prompt}-{seed}";

function isFolder(path: string): boolean {
  if (path.endsWith("/") || path.endsWith(sep)) return true;
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** The format that is asked for, or that the name stands for. @throws UsageError */
export function chooseFormat(output: string | undefined, asked?: AudioFormat): AudioFormat {
  if (output === undefined || output === "-" || isFolder(output)) return asked ?? "wav";
  const byName = formatOf(output);
  if (asked) {
    if (byName && byName.split("-")[0] !== asked.split("-")[0]) {
      throw new UsageError(`--format ${asked} disagrees with the name "${output}"`);
    }
    return asked;
  }
  if (byName) return byName;
  const extension = extname(output) || "no extension";
  throw new UsageError(`Expected a name in .wav or .flac, or --format, but received ${extension}`);
}

/** Turn a prompt into a part of a file name: letters, digits and hyphens, at most 40. */
export function slug(prompt: string): string {
  const words =
    prompt
      .normalize("NFKC")
      .toLowerCase()
      .match(/[\p{L}\p{N}]+/gu) ?? [];
  return [...words.join("-")].slice(0, 40).join("").replace(/-$/, "") || "untitled";
}

/**
 * Name one file per item. `{prompt}`, `{seed}` and `{index}` stand for the item's own; names that
 * would repeat get `-1`, `-2`, … before the extension.
 */
export function nameOutputs(
  output: string | undefined,
  items: readonly OutputItem[],
  format: AudioFormat,
): readonly string[] {
  const extension = format === "flac" ? ".flac" : ".wav";
  let pattern = output ?? defaultPattern + extension;
  if (output !== undefined && isFolder(output)) pattern = join(output, defaultPattern + extension);
  const names = items.map(({ prompt, seed }, index) =>
    pattern
      .replaceAll("{prompt}", () => slug(prompt))
      .replaceAll("{seed}", String(seed))
      .replaceAll("{index}", String(index + 1)),
  );
  const repeats = new Set(names).size < names.length;
  return repeats ? names.map((name, index) => numbered(name, index + 1)) : names;
}

function numbered(path: string, number: number): string {
  const { dir, name, ext } = parse(path);
  return join(dir, `${name}-${number}${ext}`);
}
