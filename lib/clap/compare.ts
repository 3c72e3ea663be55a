import { requireList } from "../runtime/arguments.js";
import { expected } from "../runtime/errors.js";
import type { Classification } from "./types.js";
import { tensorOf, unitRows } from "./unit.js";

/** A matrix of cosines, times `scale`: one row of `b.length` numbers for each of `a`. */
export async function cosines(
  a: readonly Float32Array[],
  b: readonly Float32Array[],
  scale: number,
): Promise<Float32Array[]> {
  requireList("a", a);
  checkRows("a", a, a[0]?.length);
  checkRows("b", b, a[0]?.length);
  using left = await unitTensor(a);
  using right = await unitTensor(b);
  using turned = await right.transpose(0, 1);
  using products = await left.matmul(turned);
  const values = await products.floats();
  return a.map((_, i) =>
    values.slice(i * b.length, (i + 1) * b.length).map((cosine) => cosine * scale),
  );
}

async function unitTensor(rows: readonly Float32Array[]) {
  using tensor = await tensorOf(rows);
  return await unitRows(tensor);
}

function checkRows(name: string, rows: readonly Float32Array[], width: number | undefined): void {
  if (!Array.isArray(rows) || rows.length === 0) {
    throw expected("E_ARGUMENT", "at least one embedding", name, rows);
  }
  for (const row of rows as readonly unknown[]) {
    if (row instanceof Float32Array && row.length > 0 && row.length === width) {
      requireNorm(name, row);
      continue;
    }
    const received = row instanceof Float32Array ? `${row.length} values` : row;
    throw expected("E_SHAPE", `a Float32Array of ${width ?? "its width"}`, name, received);
  }
}

/** Without a norm there is no cosine. */
function requireNorm(name: string, row: Float32Array): void {
  const squares = row.reduce((sum, value) => sum + value * value, 0);
  if (Number.isFinite(Math.fround(squares))) return;
  throw expected("E_NONFINITE", "embeddings of finite norm", name, Math.sqrt(squares));
}

/** Rank labels by cosine, with the softmax of the scaled cosines as their probabilities. */
export function rankLabels(
  labels: readonly string[],
  similarities: Float32Array,
  scale: number,
): readonly Classification[] {
  const logits = Array.from(similarities, (cosine) => cosine * scale);
  const highest = logits.reduce((most, logit) => Math.max(most, logit), -Infinity);
  const weights = logits.map((logit) => Math.exp(logit - highest));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const ranked = labels.map((label, index) => ({
    label,
    index,
    probability: (weights[index] ?? 0) / total,
    similarity: similarities[index] ?? 0,
  }));
  return ranked.sort((a, b) => b.similarity - a.similarity || a.index - b.index);
}

/** Average rows of several lists place by place, and scale the means to unit norm. */
export async function averageRows(
  lists: readonly (readonly Float32Array[])[],
): Promise<Float32Array[]> {
  const [first = []] = lists;
  if (lists.length === 1) return [...first];
  using all = await tensorOf(lists.flat());
  using grouped = await all.reshape([lists.length, first.length, first[0]?.length ?? 0]);
  using mean = await grouped.mean([0]);
  using unit = await unitRows(mean);
  const values = await unit.floats();
  const width = first[0]?.length ?? 0;
  return first.map((_, i) => values.slice(i * width, (i + 1) * width));
}
