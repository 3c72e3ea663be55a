import { Tensor } from "../../lib/tensor/tensor.js";

/** Hash 0, 1, … to ±0.5, fading in over and over: `noise` of test/reference/spectra.py. */
export function noise(count: number, seed = 1): Float32Array {
  const start = Math.imul(seed, 0x9e3779b1);
  return Float32Array.from({ length: count }, (_, n) => {
    let hash = (n + start) >>> 0;
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    hash ^= hash >>> 16;
    return ((hash >>> 8) / 2 ** 24 - 0.5) * ((n % 4801) / 4800);
  });
}

/** Noise of seeds 1, 2, …: `[items, count]`. */
export async function noises(items: number, count: number): Promise<Tensor> {
  const samples = new Float32Array(items * count);
  for (let i = 0; i < items; i++) samples.set(noise(count, 1 + i), i * count);
  return Tensor.from(samples, [items, count]);
}
