import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseClapConfig } from "../../lib/checkpoint/config/clap.js";
import { parseExtractorConfig } from "../../lib/checkpoint/config/extractor.js";
import { writeByteTokenizer } from "../../lib/clap/byte-tokenizer.js";
import { ClapFeatureExtractor } from "../../lib/clap/feature-extractor.js";
import { writeClapWeights } from "../../lib/clap/initial-weights.js";
import { clapPresets } from "../../lib/clap/presets.js";
import { noiseSource } from "../../lib/clap/verify/probes.js";
import { Tensor } from "../../lib/tensor/tensor.js";
import { changedClap, freshPath } from "./clap.js";
import type { Tensors } from "./clap.js";

const rate = 48_000;

/** Noise with a spectrum that falls off, louder and softer, with a tone that moves. */
function trainingClip(seed: number): Float32Array {
  const white = noiseSource(seed);
  const fall = 0.5 + 0.12 * (seed % 4);
  let low = 0;
  return Float32Array.from({ length: 3 * rate }, (_, i) => {
    low = fall * low + (1 - fall) * white();
    const time = i / rate;
    const swell = 0.1 + 0.9 * Math.abs(Math.sin((1 + (seed % 3)) * time));
    const tone = Math.sin(2 * Math.PI * (150 * seed + 100 * time) * time);
    return 0.5 * swell * low + 0.02 * tone;
  });
}

/** Mean and variance of every mel bin over clips, as the tower's first norm keeps them. */
async function melStatistics(settings: Readonly<Record<string, unknown>>): Promise<Tensors> {
  const { config } = parseExtractorConfig(settings, "preprocessor_config.json");
  const extractor = new ClapFeatureExtractor(config);
  const clips = Array.from({ length: 6 }, (_, i) => trainingClip(i + 1));
  using features = await extractor.extract(clips);
  const norm = "audio_model.audio_encoder.batch_norm";
  return {
    [`${norm}.running_mean`]: await features.inputFeatures.mean([0, 1, 2]),
    [`${norm}.running_var`]: await features.inputFeatures.var([0, 1, 2]),
  };
}

/** What training does to a weight, in caricature. */
async function trained(name: string, tensor: Tensor, seed: number): Promise<Tensor | null> {
  if (name.endsWith("relative_position_bias_table")) return smoothTable(tensor.shape);
  if (tensor.dtype !== "float32" || /running_|logit_scale/.test(name)) return null;
  using noise = await Tensor.randn(tensor.shape, { seed });
  if (/norm\w*\.weight$/i.test(name)) {
    using part = await noise.mul(0.2);
    return await part.add(1.1);
  }
  if (name.endsWith(".bias")) return await noise.mul(name.endsWith(".key.bias") ? 0.002 : 0.1);
  const layer = /\.layer\.(\d+)\./.exec(name);
  return await tensor.mul(layer ? 2 + 0.4 * Number(layer[1]) : 3);
}

async function smoothTable([entries = 0, heads = 1]: readonly number[]): Promise<Tensor> {
  const side = Math.sqrt(entries);
  const values = Float32Array.from({ length: entries * heads }, (_, i) => {
    const [entry, head] = [Math.floor(i / heads), i % heads];
    const [row, column] = [Math.floor(entry / side), entry % side];
    return Math.cos((row - column * (1 + head)) / side) + 0.3 * Math.sin(row + head);
  });
  return Tensor.from(values, [entries, heads]);
}

/**
 * Write a small CLAP, with eight layers of text, that has what training leaves behind: moved norms,
 * small key biases, sizes that change with depth, smooth tables, and statistics of the given mels.
 */
export async function trainedClap(
  preset: "debug" | "debug-fused" = "debug",
  mels: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  const { model, extractor } = clapPresets[preset];
  const json = { ...model, text_config: { ...model.text_config, num_hidden_layers: 8 } };
  const folder = freshPath("trained");
  mkdirSync(folder);
  writeFileSync(join(folder, "config.json"), JSON.stringify(json));
  writeFileSync(join(folder, "preprocessor_config.json"), JSON.stringify(extractor));
  await writeByteTokenizer(folder);
  const { config } = parseClapConfig(json, "config.json", "ClapModel");
  await writeClapWeights(join(folder, "model.safetensors"), config, { seed: 1 });
  return changedClap(folder, async (tensors) => {
    const changed: Record<string, Tensor> = { ...(await melStatistics({ ...extractor, ...mels })) };
    for (const [seed, [name, tensor]] of Object.entries(tensors).entries()) {
      const after = await trained(name, tensor, seed);
      if (after !== null) changed[name] = after;
    }
    return changed;
  });
}
