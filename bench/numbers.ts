export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low, high] = [sorted[Math.ceil(middle) - 1] ?? NaN, sorted[Math.floor(middle)] ?? NaN];
  return (low + high) / 2;
}

/** Norm of the difference over the norm of the reference, of the part that both have. */
export function relativeDistance(ours: Float32Array, reference: Float32Array): number {
  const common = Math.min(ours.length, reference.length);
  let [difference, norm] = [0, 0];
  for (let i = 0; i < common; i += 1) {
    const expected = reference[i] ?? NaN;
    difference += ((ours[i] ?? NaN) - expected) ** 2;
    norm += expected ** 2;
  }
  return Math.sqrt(difference / norm);
}
