/** One thing that was looked at. */
export interface VerifyCheck {
  readonly name: string;
  /** Null: cannot be judged for these weights; the value is information only. */
  readonly ok: boolean | null;
  readonly value: string;
  /** What the value of a healthy model is like. */
  readonly expected: string;
  /** What to do where it is not. */
  readonly hint: string;
}

/** What `Clap.verify` found. */
export interface VerifyReport {
  /** False where any check failed. */
  readonly ok: boolean;
  /** Whether the weights look trained; much cannot be judged where they do not. */
  readonly isTrained: boolean;
  readonly checks: readonly VerifyCheck[];
}

/** Show a number with three digits that count. */
export function digits(value: number): string {
  return Number.isFinite(value) ? String(Number(value.toPrecision(3))) : String(value);
}

/** Pearson's correlation of two lists of one length; 0 where one of them is constant. */
export function correlation(a: readonly number[], b: readonly number[]): number {
  const [left, right] = [centred(a), centred(b)];
  const dot = (x: readonly number[], y: readonly number[]) =>
    x.reduce((sum, value, i) => sum + value * (y[i] ?? 0), 0);
  const scale = Math.sqrt(dot(left, left) * dot(right, right));
  return scale > 0 ? dot(left, right) / scale : 0;
}

/** Subtract the mean. */
export function centred(values: readonly number[]): readonly number[] {
  const mean = values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
  return values.map((value) => value - mean);
}
