import { expected, MusicLDMError, toMusicLDMError } from "./errors.js";
import { loadCuda } from "./loader.js";
import { callSync } from "./native.js";

/** CUDA devices that can be used, and where there are none the reason. */
export interface CudaDevices {
  readonly count: number;
  readonly reason?: string;
}

/** Load the CUDA half of libtorch and count its devices. Errors: those of `loadAddon`. */
export function cudaDevices(): CudaDevices {
  const { available, reason = "unknown" } = loadCuda();
  if (!available) return { count: 0, reason };
  try {
    const found = callSync<{ count: number; reason: string | null }>("runtime.cuda_devices", []);
    return found.reason === null ? { count: found.count } : { count: 0, reason: found.reason };
  } catch (error) {
    return { count: 0, reason: toMusicLDMError(error).message };
  }
}

/**
 * Make sure that a device can be used.
 *
 * @throws E_ARGUMENT for another name than `cpu`, `cuda` and `cuda:N`; E_NO_CUDA with the reason
 */
export function requireDevice(device: unknown): asserts device is string {
  if (device === "cpu") return;
  const match = /^cuda(?::(\d{1,3}))?$/.exec(typeof device === "string" ? device : "");
  if (!match) throw expected("E_ARGUMENT", '"cpu", "cuda" or "cuda:N"', "device", device);
  const { count, reason = `there are ${count}` } = cudaDevices();
  if (Number(match[1] ?? 0) < count) return;
  const message = `Expected an available CUDA device for device but ${match[0]} is not: ${reason}`;
  throw new MusicLDMError("E_NO_CUDA", message, { device, reason });
}
