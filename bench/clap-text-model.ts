import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Checkpoint, writeSafetensors } from "../lib/checkpoint/index.js";
import { parseClapText } from "../lib/checkpoint/config/clap-text.js";
import { TextEncoder } from "../lib/clap/text-encoder.js";
import { TextTower } from "../lib/clap/text-tower.js";
import { TextTokenizer } from "../lib/clap/tokenizer.js";
import type { Packing } from "../lib/nn/module.js";
import { captions } from "./captions.js";

/** Written down for the peer; the sizes are the defaults, which are those of the releases. */
const settings = { model_type: "clap_text_model", layer_norm_eps: 1e-5, vocab_size: 50_265 };

/** Write a text tower with random weights, and a tokenizer that knows the words of the captions. */
export async function writeCaptionModel(folder: string): Promise<void> {
  await writeFile(join(folder, "config.json"), JSON.stringify(settings));
  await writeTokenizer(folder);
  using tower = await TextTower.create(parseClapText(settings, "config.json").config);
  await tower.initialise(0);
  const state = await tower.state();
  await writeSafetensors(join(folder, "model.safetensors"), state, { format: "pt" });
  for (const tensor of Object.values(state)) tensor.dispose();
}

export async function openCaptionEncoder(folder: string, packing: Packing): Promise<TextEncoder> {
  const tower = await TextTower.create(parseClapText(settings, "config.json").config);
  using checkpoint = await Checkpoint.open(join(folder, "model.safetensors"));
  await tower.load(checkpoint);
  await tower.pack(packing);
  return new TextEncoder(tower, await TextTokenizer.load(folder, tower.maxTokens));
}

/** Byte-level BPE that joins a word from its start, so that most words are one token, as usual. */
async function writeTokenizer(folder: string): Promise<void> {
  const words = captions.flatMap((text) => text.split(/(?= )|(?=[,.])/));
  const merges = new Map<string, string>();
  for (const word of new Set(words)) {
    const symbols = [...word.replace(/^ /, "Ġ")];
    for (let end = 2; end <= symbols.length; end += 1) {
      const joined = symbols.slice(0, end).join("");
      merges.set(joined, `${symbols.slice(0, end - 1).join("")} ${symbols[end - 1]}`);
    }
  }
  const letters = Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i));
  const tokens = ["<s>", "<pad>", "</s>", "<unk>", ...letters, "Ġ", ...merges.keys(), "<mask>"];
  const vocabulary = Object.fromEntries(tokens.map((token, id) => [token, id]));
  await writeFile(join(folder, "vocab.json"), JSON.stringify(vocabulary));
  const lines = ["#version: 0.2", ...merges.values()];
  await writeFile(join(folder, "merges.txt"), `${lines.join("\n")}\n`);
  const config = { tokenizer_class: "RobertaTokenizer", model_max_length: 512 };
  await writeFile(join(folder, "tokenizer_config.json"), JSON.stringify(config));
}
