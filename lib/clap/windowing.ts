import { expected } from "../runtime/errors.js";
import type { EmbeddingIndex } from "./embedding-index.js";
import type { Windowing } from "./search-model.js";

const key = "windowing";

/** The windows that an index was made with; empty for the model's own or for no folder. */
export async function windowingOf(index: EmbeddingIndex): Promise<Windowing> {
  const text = await index.property(key);
  return text === null ? {} : (JSON.parse(text) as Windowing);
}

/**
 * Settle which windows an index has: those of its first update, since rows of different windows do
 * not compare.
 *
 * @throws E_CONFIG where others are asked for
 */
export async function agreeOnWindowing(
  index: EmbeddingIndex,
  { windowSeconds, hopSeconds }: Windowing,
): Promise<Windowing> {
  const asked = {
    ...(windowSeconds !== undefined && { windowSeconds }),
    ...(hopSeconds !== undefined && { hopSeconds }),
  };
  if ((await index.property(key)) === null) {
    await index.setProperty(key, JSON.stringify(asked));
    return asked;
  }
  const kept = await windowingOf(index);
  for (const name of ["windowSeconds", "hopSeconds"] as const) {
    if (asked[name] === undefined || asked[name] === kept[name]) continue;
    const hint = "leave the option out, or keep another index for other windows";
    const what = `${kept[name] ?? "the default"}, as ${index.path} was made with,`;
    throw expected("E_CONFIG", what, name, asked[name], { hint });
  }
  return kept;
}
