/** How the variance of a training step grows with the timestep. */
export type BetaSchedule = "linear" | "scaled_linear" | "squaredcos_cap_v2";

export interface ScheduleOptions {
  readonly betaSchedule: BetaSchedule;
  readonly betaStart: number;
  readonly betaEnd: number;
  readonly trainTimesteps: number;
  /** Variances given outright, one per training timestep. */
  readonly trainedBetas?: readonly number[] | undefined;
  /** Rescale so that the last timestep is pure noise (Lin et al. 2023, algorithm 1). */
  readonly zeroTerminalSnr: boolean;
  /** Keep the last cumulative product above zero, for solvers that divide by it. */
  readonly floorTerminalSnr: boolean;
}

/** Tables over the training timesteps 0..T-1; float64 numbers that hold float32 values. */
export interface NoiseSchedule {
  /** Signal power ᾱ_t, decreasing. */
  readonly alphasCumprod: readonly number[];
  /** Noise-to-signal ratio √((1 − ᾱ)/ᾱ), increasing. */
  readonly sigmas: readonly number[];
}

/**
 * Build the tables of a noise schedule.
 *
 * The roundings are those of diffusers, which works in float32, so that coefficients agree to
 * about 1e-7 with its schedulers.
 */
export function createSchedule(options: ScheduleOptions): NoiseSchedule {
  const plain = createBetas(options);
  const betas = options.zeroTerminalSnr ? rescaleToZeroTerminalSnr(plain) : plain;
  const alphasCumprod = cumulativeProduct(betas);
  if (options.zeroTerminalSnr && options.floorTerminalSnr) {
    alphasCumprod[alphasCumprod.length - 1] = 2 ** -24;
  }
  const sigmas = alphasCumprod.map((power) => {
    const ratio = Math.fround(Math.fround(1 - power) / power);
    return Math.fround(Math.sqrt(ratio));
  });
  return { alphasCumprod, sigmas };
}

function createBetas(options: ScheduleOptions): number[] {
  const { betaStart, betaEnd, trainTimesteps } = options;
  if (options.trainedBetas !== undefined) return options.trainedBetas.map(Math.fround);
  switch (options.betaSchedule) {
    case "linear":
      return linspaceFloat32(betaStart, betaEnd, trainTimesteps);
    case "scaled_linear":
      return linspaceFloat32(Math.sqrt(betaStart), Math.sqrt(betaEnd), trainTimesteps).map((root) =>
        Math.fround(root * root),
      );
    case "squaredcos_cap_v2":
      return cosineBetas(trainTimesteps);
  }
}

/** Evenly spaced float32 values counted from the nearer end, as libtorch does. */
function linspaceFloat32(start: number, end: number, count: number): number[] {
  const [first, last] = [Math.fround(start), Math.fround(end)];
  const step = Math.fround(Math.fround(last - first) / (count - 1));
  return Array.from({ length: count }, (_, i) =>
    Math.fround(i < count >> 1 ? first + step * i : last - step * (count - 1 - i)),
  );
}

/** Nichol and Dhariwal 2021 (arXiv 2102.09672), equation 17. */
function cosineBetas(count: number): number[] {
  const power = (time: number) => Math.cos((((time + 0.008) / 1.008) * Math.PI) / 2) ** 2;
  return Array.from({ length: count }, (_, i) =>
    Math.fround(Math.min(1 - power((i + 1) / count) / power(i / count), 0.999)),
  );
}

/** ᾱ_t = Π (1 − β): float64 product of float32 factors, stored as float32. */
function cumulativeProduct(betas: readonly number[]): number[] {
  let product = 1;
  return betas.map((beta) => {
    product *= Math.fround(1 - beta);
    return Math.fround(product);
  });
}

/** Lin et al. 2023 (arXiv 2305.08891), algorithm 1. */
function rescaleToZeroTerminalSnr(betas: readonly number[]): number[] {
  const roots = cumulativeProduct(betas).map((power) => Math.fround(Math.sqrt(power)));
  const [first, last] = [roots[0]!, roots.at(-1)!];
  const scale = Math.fround(first / Math.fround(first - last));
  const powers = roots.map((root) => {
    const shifted = Math.fround(Math.fround(root - last) * scale);
    return Math.fround(shifted * shifted);
  });
  return powers.map((power, t) => {
    const alpha = t === 0 ? power : Math.fround(power / powers[t - 1]!);
    return Math.fround(1 - alpha);
  });
}
