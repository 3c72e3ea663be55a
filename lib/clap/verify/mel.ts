import type { ClapFolder } from "../../checkpoint/clap-folder.js";
import type { Checkpoint, ExtractorConfig } from "../../checkpoint/index.js";
import type { CallOptions } from "../../runtime/abort.js";
import { throwIfAborted } from "../../runtime/native.js";
import { ClapFeatureExtractor } from "../feature-extractor.js";
import { noiseSource } from "./probes.js";
import { correlation, digits } from "./report.js";
import type { VerifyCheck } from "./report.js";

/** How far another variant has to fit better before it is named. */
const margin = 0.15;
/** Below this correlation no variant is said to fit. */
const leastFit = 0.5;

const norm = "audio_model.audio_encoder.batch_norm";
const meanNames = [`${norm}.running_mean`, "audio_model.audio_encoder.bn0.running_mean"];

/** Check that the mel front end is the one that the audio tower was trained with. */
export async function checkMel(
  { config, extractor }: ClapFolder,
  checkpoint: Checkpoint,
  options: CallOptions,
): Promise<readonly VerifyCheck[]> {
  const isFused = "enable_fusion" in config.audio && config.audio.enable_fusion;
  return [truncationCheck(isFused, extractor), await fitCheck(checkpoint, extractor, options)];
}

function truncationCheck(isFused: boolean, { truncation }: ExtractorConfig): VerifyCheck {
  const wanted = isFused ? "fusion" : "rand_trunc";
  return {
    name: "truncation fits enable_fusion",
    ok: truncation === wanted,
    value: `truncation ${truncation}, enable_fusion ${isFused}`,
    expected: `truncation ${wanted}`,
    hint: `set truncation in preprocessor_config.json to "${wanted}"`,
  };
}

/**
 * The first norm of the tower keeps the mean of every mel bin over all its training audio. Whatever
 * that audio was, its spectrum is smooth from bin to bin; what is not smooth comes from how the
 * filters sample the bins of the Fourier transform, and so tells the filter banks apart.
 */
async function fitCheck(
  checkpoint: Checkpoint,
  extractor: ExtractorConfig,
  options: CallOptions,
): Promise<VerifyCheck> {
  const means = await runningMeans(checkpoint);
  const rest = {
    name: "mel variant fits the norm of the audio tower",
    expected: `a correlation of at least ${leastFit} that no other variant beats by ${margin}`,
    hint: "compare preprocessor_config.json with that of the published model",
  };
  if (means.every((mean) => mean === means[0])) {
    return { ...rest, ok: null, value: "the norm has no statistics: the weights are random" };
  }
  const fits = [];
  for (const { name, config } of variantsOf(extractor)) {
    throwIfAborted(options.signal);
    const profile = await noiseProfile(config, options);
    fits.push({ name, fit: correlation(rough(profile), rough(means)) });
  }
  const own = fits[0]?.fit ?? 0;
  const best = fits.reduce((a, b) => (b.fit > a.fit ? b : a));
  const isBeaten = best.fit >= leastFit && best.fit > own + margin;
  const value = `${digits(own)}; best ${best.name}, ${digits(best.fit)}`;
  if (isBeaten) return { ...rest, ok: false, value, hint: `the norm fits ${best.name}` };
  return { ...rest, ok: own >= leastFit ? true : null, value };
}

async function runningMeans(checkpoint: Checkpoint): Promise<readonly number[]> {
  const name = meanNames.find((known) => checkpoint.has(known));
  if (name === undefined) return [];
  using tensor = await checkpoint.tensor(name, { dtype: "float32" });
  return [...(await tensor.floats())];
}

interface Variant {
  readonly name: string;
  readonly config: ExtractorConfig;
}

/** The configured front end, then those that published models and defaults have. */
function variantsOf(own: ExtractorConfig): readonly Variant[] {
  const describe = (config: ExtractorConfig): Variant => {
    const bank = config.truncation === "fusion" ? "HTK (fusion)" : "Slaney (rand_trunc)";
    const { frequency_min: low, frequency_max: high } = config;
    return { name: `${bank}, ${low}..${high} Hz`, config };
  };
  const highest = [8000, 14_000, 18_000].filter((hertz) => hertz <= own.sampling_rate / 2);
  const all = (["rand_trunc", "fusion"] as const).flatMap((truncation) =>
    [0, 50].flatMap((frequency_min) =>
      highest.map((frequency_max) =>
        describe({ ...own, truncation, frequency_min, frequency_max }),
      ),
    ),
  );
  const first = describe(own);
  return [first, ...all.filter(({ name }) => name !== first.name)];
}

/** Mean level of white noise in every mel bin, dB. */
async function noiseProfile(
  config: ExtractorConfig,
  { signal }: CallOptions,
): Promise<readonly number[]> {
  const draw = noiseSource(2);
  const count = Math.round(config.max_length_s * config.sampling_rate);
  const noise = Float32Array.from({ length: count }, () => 0.3 * draw());
  const extractor = new ClapFeatureExtractor(config);
  using features = await extractor.extract([noise], { window: "start", signal });
  const [, , frames = 1, bins = 1] = features.inputFeatures.shape;
  using first = await features.inputFeatures.slice(1, 0, 1);
  using rows = await first.reshape([frames, bins]);
  using mean = await rows.mean([0]);
  return [...(await mean.floats())];
}

/** Second differences: what is left of a profile without its smooth part. */
function rough(profile: readonly number[]): readonly number[] {
  return profile
    .slice(1, -1)
    .map((value, i) => 2 * value - (profile[i] ?? 0) - (profile[i + 2] ?? 0));
}
