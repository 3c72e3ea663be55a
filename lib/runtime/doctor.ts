import { cpus } from "node:os";
import { cudaDevices } from "./devices.js";
import { toMusicLDMError } from "./errors.js";
import { defaultRequirement, listCandidates } from "./libtorch.js";
import type { LibtorchCandidate } from "./libtorch.js";
import { findAddon, loadAddon, loadedLibtorch, requirementOf } from "./loader.js";
import type { CudaStatus, FoundAddon } from "./loader.js";
import { callSync } from "./native.js";
import { cacheRoot, folderBytes, packageVersion } from "./paths.js";

/** Why a part is missing. */
export interface DoctorProblem {
  readonly code: string;
  readonly message: string;
}

export interface DoctorDevice {
  readonly name: string;
  readonly available: boolean;
  readonly reason?: string;
}

export interface DoctorReport {
  /** Whether models can run on the CPU. */
  readonly ok: boolean;
  readonly node: { readonly version: string; readonly platform: string; readonly arch: string };
  readonly addon: {
    readonly path: string | null;
    readonly version: string;
    /** The Node-API version that it was compiled for. */
    readonly napi: number | null;
    /** The libtorch release that it was compiled with. */
    readonly torchVersion: string | null;
  };
  readonly libtorch: {
    readonly path: string | null;
    readonly version: string | null;
    readonly blas: string | null;
    readonly onednn: string | null;
    readonly cpuCapability: string | null;
    readonly abi: "cxx11" | "pre-cxx11" | null;
  };
  readonly devices: readonly DoctorDevice[];
  readonly threads: { readonly intraOp: number | null; readonly hardware: number };
  readonly caches: { readonly path: string; readonly bytes: number };
  readonly candidates: readonly LibtorchCandidate[];
  readonly problems: readonly DoctorProblem[];
}

/** What op `runtime.info` of the addon tells. */
interface RuntimeInfo {
  readonly torchVersion: string;
  /** The text of `at::show_config()`. */
  readonly config: string;
  readonly cpuCapability: string;
  readonly threads: number;
}

/** Report on the installation: each part, or why it is missing. Never throws. */
export async function doctor(): Promise<DoctorReport> {
  const problems: DoctorProblem[] = [];
  const attempt = <T>(work: () => T): T | null => {
    try {
      return work();
    } catch (error) {
      const { code, message } = toMusicLDMError(error);
      if (!problems.some((known) => known.message === message)) problems.push({ code, message });
      return null;
    }
  };
  const addon = attempt(() => findAddon());
  const native = addon && attempt(() => loadAddon());
  const info = native && attempt(() => callSync<RuntimeInfo>("runtime.info", []));
  const cache = cacheRoot();
  return {
    ok: info !== null,
    node: { version: process.versions.node, platform: process.platform, arch: process.arch },
    addon: describeAddon(addon),
    libtorch: describeLibtorch(info),
    devices: describeDevices(info !== null, problems),
    threads: { intraOp: info?.threads ?? null, hardware: cpus().length },
    caches: { path: cache, bytes: attempt(() => folderBytes(cache)) ?? 0 },
    candidates: listCandidates(addon ? requirementOf(addon.buildInfo) : defaultRequirement),
    problems,
  };
}

function describeAddon(addon: FoundAddon | null): DoctorReport["addon"] {
  return {
    path: addon?.path ?? null,
    version: packageVersion(),
    napi: addon?.buildInfo.napiVersion ?? null,
    torchVersion: addon?.buildInfo.torchVersion ?? null,
  };
}

function describeLibtorch(info: RuntimeInfo | null): DoctorReport["libtorch"] {
  const libtorch = loadedLibtorch();
  const abi = libtorch?.cxx11Abi;
  return {
    path: libtorch?.path ?? null,
    version: libtorch?.version ?? info?.torchVersion ?? null,
    blas:
      matchOf(info?.config, /- (.*(?:Math Kernel Library|BLAS) Version [\d.]+)/) ??
      matchOf(info?.config, /BLAS_INFO=(\w+)/),
    onednn: matchOf(info?.config, /(?:MKL-DNN|oneDNN) v([\d.]+)/),
    cpuCapability: info?.cpuCapability ?? null,
    abi: abi === undefined || abi === null ? null : abi ? "cxx11" : "pre-cxx11",
  };
}

function matchOf(text: string | undefined, pattern: RegExp): string | null {
  return (text && pattern.exec(text)?.[1]) ?? null;
}

function describeDevices(
  isLoaded: boolean,
  problems: readonly DoctorProblem[],
): readonly DoctorDevice[] {
  if (isLoaded) {
    return [
      { name: "cpu", available: true },
      { name: "cuda", ...cudaStatus() },
    ];
  }
  const reason = `libtorch is not loaded (${problems.map(({ code }) => code).join(", ")})`;
  return ["cpu", "cuda"].map((name) => ({ name, available: false, reason }));
}

function cudaStatus(): CudaStatus {
  const { count, reason } = cudaDevices();
  return count > 0 ? { available: true } : { available: false, reason: reason ?? "unknown" };
}
