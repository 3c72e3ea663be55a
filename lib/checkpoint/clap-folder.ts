import { join } from "node:path";
import { expected, MusicLDMError } from "../runtime/errors.js";
import { parseClapConfig } from "./config/clap.js";
import type { ClapConfig } from "./config/clap.js";
import type { ClapAudioConfig } from "./config/clap-audio.js";
import { parseExtractorConfig } from "./config/extractor.js";
import type { ExtractorConfig } from "./config/extractor.js";
import { throwProblems } from "./config/fields.js";
import { findWeights, isFile, readJson } from "./files.js";
import type { WeightFiles } from "./files.js";
import { openFolder } from "./folder.js";
import type { FolderOptions, ModelFolder } from "./folder.js";
import { indexName, requireFolder } from "./layout.js";

/** A whole CLAP, both towers: what builds it and where its files lie. */
export interface ClapFolder {
  readonly path: string;
  readonly config: ClapConfig & { readonly audio: ClapAudioConfig };
  /** Keys of the configuration files that their classes do not have; they are ignored. */
  readonly unknownKeys: readonly string[];
  readonly weights: WeightFiles;
  readonly extractor: ExtractorConfig;
  /** The folder with the tokenizer's files. */
  readonly tokenizer: string;
}

/** Any of these makes a tokenizer. */
const tokenizerFiles = [
  ["tokenizer.json"],
  ["vocab.json", "merges.txt"],
  ["vocab.txt"],
  ["bpe_simple_vocab_16e6.txt.gz"],
] as const;

/**
 * Read and validate a CLAP in transformers' layout (`laion/clap-htsat-unfused`), or that of a
 * MusicLDM folder, without loading weights.
 *
 * Errors: `E_IO` (no such folder), `E_CHECKPOINT` (missing files, listed all together; a model
 * folder without an audio tower), `E_CONFIG` (a setting that is not implemented, named with its
 * value and file).
 */
export async function openClapFolder(
  path: string,
  options: Pick<FolderOptions, "variant"> = {},
): Promise<ClapFolder> {
  await requireFolder(path);
  if (await isFile(join(path, indexName))) return clapOf(await openFolder(path, options));
  const weights = await findFiles(path, options.variant);
  const modelFile = join(path, "config.json");
  const model = parseClapConfig(await readJson(modelFile), modelFile, "ClapModel");
  const extractorFile = join(path, "preprocessor_config.json");
  const extractor = parseExtractorConfig(await readJson(extractorFile), extractorFile);
  const folder = {
    path,
    config: withAudio(model.config, path),
    unknownKeys: [...model.unknownKeys, ...extractor.unknownKeys],
    weights,
    extractor: extractor.config,
    tokenizer: path,
  };
  checkFit(folder, extractorFile);
  return folder;
}

/**
 * Find the CLAP inside a MusicLDM folder: its text encoder and its feature extractor.
 *
 * Errors: `E_CHECKPOINT` for a folder without an audio tower, such as AudioLDM's; `E_CONFIG`.
 */
export function clapOf({ path, textEncoder, extractor, tokenizer }: ModelFolder): ClapFolder {
  if (extractor === null || textEncoder.config.audio === null) throw withoutAudio(path);
  const { weights, unknownKeys } = textEncoder;
  const config = withAudio(textEncoder.config, path);
  const folder = { path, config, unknownKeys, weights, extractor, tokenizer };
  checkFit(folder, join(path, "feature_extractor", "preprocessor_config.json"));
  return folder;
}

function withoutAudio(path: string): MusicLDMError {
  const what =
    "a CLAP with an audio tower (ClapModel with preprocessor_config.json, such as " +
    "laion/clap-htsat-unfused)";
  return expected("E_CHECKPOINT", what, "folder", path, { folder: path });
}

function withAudio(config: ClapConfig, path: string): ClapFolder["config"] {
  const { audio } = config;
  if (audio === null) throw withoutAudio(path);
  return { ...config, audio };
}

/** Sizes in which the mel front end and the audio tower have to agree. */
function checkFit({ config, extractor }: ClapFolder, file: string): void {
  const bins = config.audio.num_mel_bins;
  if (extractor.feature_size === bins) return;
  const wanted = `${bins}, the audio tower's num_mel_bins`;
  throwProblems(file, [{ key: "feature_size", expected: wanted, value: extractor.feature_size }]);
}

/** Errors: `E_CHECKPOINT` listing every file that is missing. */
async function findFiles(folder: string, variant: string | undefined): Promise<WeightFiles> {
  const weights = await findWeights(folder, "model", variant);
  const missing: string[] = [];
  for (const name of ["config.json", "preprocessor_config.json"]) {
    if (!(await isFile(join(folder, name)))) missing.push(join(folder, name));
  }
  const hasTokenizer = await Promise.all(
    tokenizerFiles.map(async (names) => {
      const present = await Promise.all(names.map((name) => isFile(join(folder, name))));
      return present.every(Boolean);
    }),
  );
  if (!hasTokenizer.includes(true)) missing.push(join(folder, "tokenizer.json"));
  if ("paths" in weights && missing.length === 0) return weights;
  const { missing: absent = [], hint = null } = "paths" in weights ? {} : weights;
  const note = hint === null ? "" : ` (${hint})`;
  const lines = [...absent.map((path) => path + note), ...missing];
  const list = lines.map((line) => `\n  ${line}`).join("");
  const message = `Expected a CLAP model in ${folder} but these files are missing:${list}`;
  throw new MusicLDMError("E_CHECKPOINT", message, { files: [...absent, ...missing] });
}
