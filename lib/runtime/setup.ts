import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { CallOptions } from "./abort.js";
import { download, sha256OfFile } from "./download.js";
import { MusicLDMError, toMusicLDMError } from "./errors.js";
import { defaultRequirement, findLibtorch, inspectLibtorch, listCandidates } from "./libtorch.js";
import type { LibtorchCandidate } from "./libtorch.js";
import { withLock } from "./lock.js";
import { cacheRoot, downloadCache, libtorchCache, supportedTorch } from "./paths.js";
import type { Environment } from "./paths.js";
import { downloadWithPip, findPip, resolveWheel, setupError, wheelName } from "./pip.js";
import type { ResolvedWheel } from "./pip.js";
import { extractWheel } from "./wheel.js";

/** Progress of stage `download` and `extract` counts bytes, that of the others is 0 of 1. */
export interface SetupOptions extends CallOptions {
  /** A wheel on this machine, in place of the one that pip chooses. */
  readonly wheel?: string | undefined;
  /** The package index that pip asks, in place of the configured one. */
  readonly indexUrl?: string | undefined;
  /** Install into the cache even when a usable libtorch is there. */
  readonly force?: boolean | undefined;
  /** The Python program whose pip is asked. */
  readonly python?: string | undefined;
  /** Look for a libtorch that has headers, to compile against. */
  readonly headers?: boolean | undefined;
  readonly env?: Environment | undefined;
}

export interface SetupResult {
  readonly libtorch: LibtorchCandidate;
  /** False when a usable libtorch was there before. */
  readonly installed: boolean;
  /** Sentences for the user. */
  readonly notes: readonly string[];
}

interface WheelFile {
  readonly path: string;
  readonly notes: readonly string[];
  /** Whether the wheel lies in our download folder and goes after it was installed. */
  readonly temporary: boolean;
}

const cudaWheelBytes = 400e6;

/**
 * Make sure that there is a libtorch: use one that is there, or obtain the CPU build through pip
 * into the per-user cache. Downloads are resumed and verified; an installation is all or nothing.
 *
 * Errors: `E_SETUP`, `E_IO` (full disk and the like), `E_ABORTED`, and those of `findLibtorch` when
 * `MUSICLDM_LIBTORCH` names a wrong folder.
 */
export async function setup(options: SetupOptions = {}): Promise<SetupResult> {
  try {
    const env = options.env ?? process.env;
    const present = findPresent(env, options);
    if (present) return present;
    await mkdir(join(libtorchCache(env), ".."), { recursive: true });
    const lock = join(cacheRoot(env), "setup.lock");
    const work = async () => findPresent(env, options) ?? (await install(env, options));
    return await withLock(lock, work, options.signal);
  } catch (error) {
    throw toMusicLDMError(error);
  }
}

function findPresent(env: Environment, options: SetupOptions): SetupResult | null {
  if (options.force === true || options.wheel !== undefined) return null;
  const requirement = { ...defaultRequirement, headers: options.headers === true };
  if (env["MUSICLDM_LIBTORCH"]) return describe(findLibtorch(requirement, env));
  const usable = listCandidates(requirement, env).find(({ rejected }) => rejected === null);
  return usable ? describe(usable) : null;
}

function describe(libtorch: LibtorchCandidate): SetupResult {
  const origins = {
    environment: "MUSICLDM_LIBTORCH names it",
    cache: "setup obtained it before",
    python: "it belongs to an installed Python torch",
  };
  const notes = [
    `Using libtorch ${libtorch.version} in ${libtorch.path}: ${origins[libtorch.source]}.`,
  ];
  return { libtorch, installed: false, notes };
}

async function install(env: Environment, options: SetupOptions): Promise<SetupResult> {
  const target = libtorchCache(env);
  await removeLeftovers(dirname(target));
  const wheel = await obtainWheel(env, options);
  const temporary = await mkdtemp(join(dirname(target), ".new-"));
  try {
    await extractWheel(wheel.path, temporary, {
      signal: options.signal,
      onBytes: (done, total) => report(options, "extract", done, total),
    });
    const extracted = inspectLibtorch("cache", temporary);
    if (extracted.rejected !== null) {
      throw setupError(`the wheel ${wheelName(wheel.path)} cannot be used: ${extracted.rejected}`);
    }
    await replaceFolder(temporary, target);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  if (wheel.temporary) {
    await rm(wheel.path, { force: true });
    await rm(`${wheel.path}.part`, { force: true });
  }
  const libtorch = inspectLibtorch("cache", target);
  const done = `Installed libtorch ${libtorch.version} in ${libtorch.path}.`;
  return { libtorch, installed: true, notes: [...wheel.notes, done] };
}

/** Put a folder in the place of another by renaming. */
async function replaceFolder(source: string, target: string): Promise<void> {
  const aside = join(dirname(target), `.old-${process.pid}`);
  if (existsSync(target)) await rename(target, aside);
  await rename(source, target);
  await rm(aside, { recursive: true, force: true });
}

/** Remove what an interrupted setup left; only the holder of the lock calls this. */
async function removeLeftovers(folder: string): Promise<void> {
  const names = (await readdir(folder)).filter((name) => /^\.(new|old)-/.test(name));
  for (const name of names) await rm(join(folder, name), { recursive: true, force: true });
}

async function obtainWheel(env: Environment, options: SetupOptions): Promise<WheelFile> {
  if (options.wheel !== undefined) {
    const path = resolve(options.wheel);
    if (!existsSync(path)) throw setupError(`there is no wheel ${path}`);
    const isCuda = isCudaWheel(wheelName(path), (await stat(path)).size);
    return { path, notes: isCuda ? [cudaNote] : [], temporary: false };
  }
  report(options, "resolve", 0, 1);
  const python = await findPip(env, options.signal, options.python);
  const pip = { ...options, env, requirement: `torch==${supportedTorch}` };
  const found = await resolveWheel(python, pip);
  report(options, "resolve", 1, 1);
  if (found?.url.startsWith("file:")) return localWheel(found, options);
  if (found && /^https?:/.test(found.url)) {
    const path = join(downloadCache(env), found.name);
    const isFetched = await fetchWheel(found, path, options);
    if (isFetched) return { path, notes: [], temporary: true };
  }
  report(options, "download", 0, 1);
  const path = await downloadWithPip(python, downloadCache(env), pip);
  report(options, "download", 1, 1);
  await requireCpuBuild(path);
  if (found) await verify(path, found, options);
  return { path, notes: [], temporary: true };
}

async function localWheel(found: ResolvedWheel, options: SetupOptions): Promise<WheelFile> {
  const path = fileURLToPath(found.url);
  await requireCpuBuild(path);
  await verify(path, found, options);
  return { path, notes: [], temporary: false };
}

async function verify(path: string, found: ResolvedWheel, options: SetupOptions): Promise<void> {
  if (found.sha256 === null) return;
  report(options, "verify", 0, 1);
  const digest = await sha256OfFile(path, options.signal);
  if (digest !== found.sha256) {
    throw setupError(`${found.name} has SHA-256 ${digest}, not ${found.sha256}`);
  }
  report(options, "verify", 1, 1);
}

/** Download over HTTP; false when only pip, with its own proxies and credentials, may succeed. */
async function fetchWheel(
  found: ResolvedWheel,
  path: string,
  options: SetupOptions,
): Promise<boolean> {
  let isCuda = false;
  const stop = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal;
  const onBytes = (done: number, total: number): void => {
    isCuda = isCudaWheel(found.name, total);
    if (isCuda) stop.abort();
    else report(options, "download", done, total);
  };
  try {
    await download(found.url, path, { sha256: found.sha256, signal, onBytes });
    return true;
  } catch (error) {
    if (isCuda) await rm(`${path}.part`, { force: true });
    if (isCuda) throw cudaError(found.name);
    if (error instanceof MusicLDMError && error.code === "E_SETUP") return false;
    throw error;
  }
}

/** Wheels of the CPU build carry the local version `cpu`, or are small. */
function isCudaWheel(name: string, bytes: number): boolean {
  return bytes > cudaWheelBytes && !name.includes("+cpu");
}

const cudaNote =
  "This wheel is a CUDA build; it loads only where the nvidia packages it needs lie beside it.";

async function requireCpuBuild(path: string): Promise<void> {
  const name = wheelName(path);
  if (isCudaWheel(name, (await stat(path)).size)) throw cudaError(name);
}

function cudaError(name: string): MusicLDMError {
  const problem =
    `${name} is a CUDA build, of several gigabytes together with the nvidia packages that it ` +
    "needs. Name PyTorch's index of CPU builds with --index-url; or, for CUDA, install torch " +
    `${supportedTorch} into a Python environment, which is found by itself when it is active`;
  return setupError(problem);
}

function report(options: SetupOptions, stage: string, step: number, totalSteps: number): void {
  options.onProgress?.({ stage, step, totalSteps });
}
