import { z } from "zod";
import { parseFields, real, throwProblems, whole } from "./fields.js";
import type { Parsed } from "./fields.js";

const names = (...values: [string, ...string[]]) =>
  z.enum(values, { error: values.map((value) => `"${value}"`).join(" or ") });

/** transformers' `ClapFeatureExtractor`: its keys and its defaults. */
const fields = z.object({
  feature_size: whole(1, 1024).default(64),
  sampling_rate: whole(1, 1_000_000).default(48_000),
  hop_length: whole(1, 1_000_000).default(480),
  max_length_s: real(0.01, 3600).default(10),
  fft_window_size: whole(2, 1_048_576).default(1024),
  padding_value: real(-1e6, 1e6).default(0),
  frequency_min: real(0, 1_000_000).default(0),
  frequency_max: real(0, 1_000_000).default(14_000),
  truncation: names("fusion", "rand_trunc").default("fusion"),
  padding: names("repeatpad", "repeat", "pad").default("repeatpad"),
  // Not read by the extractor's arithmetic, or derived from the fields above.
  top_db: z.unknown().optional(),
  return_attention_mask: z.unknown().optional(),
  nb_frequency_bins: z.unknown().optional(),
  nb_max_samples: z.unknown().optional(),
  padding_side: z.unknown().optional(),
  feature_extractor_type: z.unknown().optional(),
  processor_class: z.unknown().optional(),
});

/** How CLAP's log-mel input is made from audio. Names are transformers'. */
export type ExtractorConfig = Readonly<z.infer<typeof fields>>;

/** Validate `feature_extractor/preprocessor_config.json`. Errors: `E_CONFIG`. */
export function parseExtractorConfig(json: unknown, file: string): Parsed<ExtractorConfig> {
  const { config, unknownKeys } = parseFields(fields, json, file);
  if (config.frequency_max <= config.frequency_min) {
    const expected = `more than frequency_min, ${config.frequency_min}`;
    throwProblems(file, [{ key: "frequency_max", expected, value: config.frequency_max }]);
  }
  return { config, unknownKeys };
}
