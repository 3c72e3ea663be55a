import type { CallOptions } from "../../runtime/abort.js";
import { throwIfAborted } from "../../runtime/native.js";
import type { Tensor } from "../../tensor/tensor.js";
import type { AudioEncoder } from "../audio-encoder.js";
import type { TextEncoder } from "../text-encoder.js";
import { makeProbes, probeTexts } from "./probes.js";
import { digits } from "./report.js";
import type { VerifyCheck } from "./report.js";

/** 1 − cosine of the two probes that are furthest apart: what a tower does not fall below. */
const leastSpread = { trained: 0.02, random: 1e-6 };

/** Check that each tower tells its probes apart, and what sounds and captions have in common. */
export async function checkTowers(
  text: TextEncoder,
  audio: AudioEncoder,
  isTrained: boolean,
  { signal }: CallOptions,
): Promise<readonly VerifyCheck[]> {
  const { sampling_rate: sampleRate, max_length_s: seconds } = audio.extractor.config;
  const probes = makeProbes(sampleRate, seconds);
  throwIfAborted(signal);
  using heard = await audio.encode(
    probes.map(({ samples }) => samples),
    { signal },
  );
  throwIfAborted(signal);
  using read = await embedOneLength(text, { signal });
  using captions = await text.encode(
    probes.map(({ caption }) => caption),
    { signal },
  );
  return [
    spread("audio", await cosineMatrix(heard, heard), isTrained),
    spread("text", await cosineMatrix(read, read), isTrained),
    agreement(
      await cosineMatrix(heard, captions.embeddings),
      probes.map(({ name }) => name),
      isTrained,
    ),
  ];
}

/**
 * Embed those probe texts that have the same number of tokens as most: texts of different lengths
 * differ even where the tower does not look at words.
 */
async function embedOneLength(text: TextEncoder, options: CallOptions): Promise<Tensor> {
  const byLength = new Map<number, string[]>();
  for (const word of probeTexts) {
    const { length } = text.tokenizer.encode(word).ids;
    byLength.set(length, [...(byLength.get(length) ?? []), word]);
  }
  const lists = [...byLength.values()].sort((a, b) => b.length - a.length);
  const { embeddings } = await text.encode(lists[0] ?? [...probeTexts], options);
  return embeddings;
}

/** Cosines of the rows of two tensors of unit rows. */
async function cosineMatrix(a: Tensor, b: Tensor): Promise<readonly (readonly number[])[]> {
  using turned = await b.transpose(0, 1);
  using products = await a.matmul(turned);
  const values = [...(await products.floats())];
  const width = b.shape[0] ?? 0;
  return Array.from({ length: a.shape[0] ?? 0 }, (_, i) =>
    values.slice(i * width, (i + 1) * width),
  );
}

function spread(
  tower: "audio" | "text",
  cosines: readonly (readonly number[])[],
  isTrained: boolean,
): VerifyCheck {
  const all = cosines.flat();
  const isFinite = all.every(Number.isFinite);
  const furthest = isFinite ? 1 - Math.min(...all) : NaN;
  const least = isTrained ? leastSpread.trained : leastSpread.random;
  const kind = isTrained ? "trained" : "random";
  return {
    name: `${tower} tower tells probes apart`,
    ok: furthest >= least,
    value: isFinite ? `1 - cosine up to ${digits(furthest)}` : "NaN or infinity",
    expected: `at least ${least} for ${kind} weights`,
    hint: `the ${tower} tower is collapsed: its weights are damaged or belong to another model`,
  };
}

/** Information: with trained weights a sound should be nearest to its own caption. */
function agreement(
  cosines: readonly (readonly number[])[],
  names: readonly string[],
  isTrained: boolean,
): VerifyCheck {
  const right = names.filter((_, i) => {
    const row = cosines[i] ?? [];
    return row.indexOf(Math.max(...row)) === i;
  });
  const which = right.length > 0 ? ` (${right.join(", ")})` : "";
  return {
    name: "sounds are nearest to their captions",
    ok: null,
    value: `${right.length} of ${names.length}${which}`,
    expected: isTrained
      ? "most of them; about 1 by chance"
      : "about 1, by chance: the weights are random",
    hint: "where it is no better than chance, towers or projections may be of different models",
  };
}
