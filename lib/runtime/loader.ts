import { existsSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { MusicLDMError } from "./errors.js";
import { findLibtorch, libraryFile } from "./libtorch.js";
import type { LibtorchCandidate, LibtorchRequirement } from "./libtorch.js";
import type { NativeAddon } from "./native.js";
import { packageRoot } from "./paths.js";
import type { Environment } from "./paths.js";

/** What the addon was compiled with. */
export interface BuildInfo {
  readonly torchVersion: string;
  readonly cxx11Abi: boolean;
  readonly napiVersion: number;
}

/** The small addon that opens libtorch for the main one. */
interface LoaderAddon {
  /** Open a library for everyone, for the life of the process. */
  open(path: string): void;
  /** Open a library without offering its symbols, for the life of the process. */
  pin(path: string): void;
  buildInfo(): BuildInfo;
}

/** Both addons on disk, and what they were compiled with. */
export interface FoundAddon {
  readonly path: string;
  readonly loader: LoaderAddon;
  readonly buildInfo: BuildInfo;
}

interface Loaded {
  readonly found: FoundAddon;
  readonly libtorch: LibtorchCandidate;
  readonly native: NativeAddon;
}

export interface CudaStatus {
  readonly available: boolean;
  readonly reason?: string;
}

const require = createRequire(import.meta.url);
const addonFile = "musicldm.node";
const loaderFile = "musicldm_loader.node";
const cpuLibraries = ["c10", "torch_cpu"] as const;
const cudaLibraries = ["torch_global_deps", "c10_cuda", "torch_cuda"] as const;

let loaded: Loaded | undefined;
let cuda: CudaStatus | undefined;

/**
 * Load libtorch and then the addon, once per thread.
 *
 * Errors: `E_ADDON` (no addon, or it does not load), `E_LIBTORCH` (no libtorch, or it does not
 * load), `E_LIBTORCH_ABI` (only libtorch of another version or C++ ABI).
 */
export function loadAddon(): NativeAddon {
  loaded ??= load(process.env);
  return loaded.native;
}

function load(env: Environment): Loaded {
  const found = findAddon(env);
  const libtorch = findLibtorch(requirementOf(found.buildInfo), env);
  for (const name of cpuLibraries) openLibrary(found.loader, libtorch, name);
  try {
    found.loader.pin(found.path);
    const native = require(found.path) as NativeAddon;
    return { found, libtorch, native };
  } catch (cause) {
    throw addonError(`it does not load: ${reasonOf(cause)}`, found.path, cause);
  }
}

/** The libtorch that `loadAddon()` of this thread chose; undefined before. */
export function loadedLibtorch(): LibtorchCandidate | undefined {
  return loaded?.libtorch;
}

/**
 * Load the CUDA half of libtorch, once per thread, and say why if that cannot be.
 *
 * Errors: those of `loadAddon`.
 */
export function loadCuda(): CudaStatus {
  loadAddon();
  cuda ??= openCuda(loaded as Loaded);
  return cuda;
}

function openCuda({ found, libtorch }: Loaded): CudaStatus {
  if (!libtorch.cuda) {
    const reason = `libtorch ${libtorch.version} in ${libtorch.path} is a build without CUDA`;
    return { available: false, reason };
  }
  const driver = process.platform === "win32" ? "nvcuda.dll" : "libcuda.so.1";
  try {
    found.loader.open(driver);
  } catch (error) {
    return { available: false, reason: `no NVIDIA driver: ${reasonOf(error)}` };
  }
  try {
    for (const name of cudaLibraries) openLibrary(found.loader, libtorch, name);
  } catch (error) {
    return { available: false, reason: reasonOf(error) };
  }
  return { available: true };
}

function openLibrary(loader: LoaderAddon, libtorch: LibtorchCandidate, name: string): void {
  const path = join(libtorch.path, "lib", libraryFile(name));
  try {
    loader.open(path);
  } catch (cause) {
    const message = `Expected a loadable libtorch but ${path} does not load: ${reasonOf(cause)}`;
    throw new MusicLDMError("E_LIBTORCH", message, { path, cause });
  }
}

/** What libtorch has to be for an addon. */
export function requirementOf(build: BuildInfo): LibtorchRequirement {
  return { version: build.torchVersion, cxx11Abi: build.cxx11Abi };
}

/**
 * Find the addon: `MUSICLDM_ADDON` (a file or its folder), `build/Release`, `prebuilds/<platform>`.
 *
 * Errors: `E_ADDON`.
 */
export function findAddon(env: Environment = process.env): FoundAddon {
  const folder = addonFolder(env);
  const path = join(folder, addonFile);
  const loaderPath = join(folder, loaderFile);
  for (const file of [path, loaderPath]) {
    if (!existsSync(file)) throw addonError("there is no such file", file);
  }
  try {
    const loader = require(loaderPath) as LoaderAddon;
    return { path, loader, buildInfo: loader.buildInfo() };
  } catch (cause) {
    throw addonError(`it does not load: ${reasonOf(cause)}`, loaderPath, cause);
  }
}

function addonFolder(env: Environment): string {
  const chosen = env["MUSICLDM_ADDON"];
  if (chosen) {
    const path = resolve(chosen);
    const isFolder = statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
    return isFolder ? path : dirname(path);
  }
  const nodeGypBuild = require("node-gyp-build") as { resolve(this: void, folder: string): string };
  const root = packageRoot();
  try {
    return dirname(nodeGypBuild.resolve(root));
  } catch (cause) {
    throw addonError("no build and no prebuild is there", root, cause);
  }
}

function addonError(problem: string, path: string, cause?: unknown): MusicLDMError {
  const platform = `${process.platform}-${process.arch}`;
  const advice =
    "Install a version of musicldm-native with a prebuild for this platform, or build it in a " +
    "clone with scripts/bootstrap.sh; MUSICLDM_ADDON names another build.";
  const message = `Expected the addon of ${platform} at ${path} but ${problem}. ${advice}`;
  return new MusicLDMError("E_ADDON", message, { path, platform, cause });
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
