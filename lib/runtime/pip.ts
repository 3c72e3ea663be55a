import { mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { MusicLDMError } from "./errors.js";
import { pythonPrograms } from "./libtorch.js";
import type { Environment } from "./paths.js";
import { runProcess } from "./process.js";

/** A wheel that pip chose for this machine. */
export interface ResolvedWheel {
  readonly url: string;
  readonly name: string;
  readonly sha256: string | null;
}

export interface PipOptions {
  /** The requirement, such as `torch==2.13.0`. */
  readonly requirement: string;
  readonly indexUrl?: string | undefined;
  readonly env: Environment;
  readonly signal?: AbortSignal | undefined;
}

interface PipReport {
  readonly install?: readonly {
    readonly download_info?: {
      readonly url?: string;
      readonly archive_info?: { readonly hash?: string; readonly hashes?: { sha256?: string } };
    };
  }[];
}

/**
 * Find a Python program that has pip, among those named or those on PATH.
 *
 * Errors: `E_SETUP`, `E_ABORTED`.
 */
export async function findPip(
  env: Environment,
  signal: AbortSignal | undefined,
  python?: string,
): Promise<string> {
  const programs = python === undefined ? pythonPrograms(env) : [python];
  for (const program of programs) {
    const { code } = await runProcess(program, ["-m", "pip", "--version"], { env, signal });
    if (code === 0) return program;
  }
  throw setupError(`pip answers through none of ${programs.join(", ")}`);
}

/**
 * Ask pip which wheel it would install, without installing it. Null when pip is older than 22.2,
 * which cannot tell.
 *
 * Errors: `E_SETUP`, `E_ABORTED`.
 */
export async function resolveWheel(
  python: string,
  options: PipOptions,
): Promise<ResolvedWheel | null> {
  const flags = ["--dry-run", "--ignore-installed", "--quiet", "--report", "-"];
  const result = await pip(python, "install", flags, options);
  if (result.code !== 0) {
    if (/no such option: --(report|dry-run)/.test(result.stderr)) return null;
    throw setupError(`pip finds no ${options.requirement}: ${complaint(result.stderr)}`);
  }
  const info = parseReport(result.stdout).install?.[0]?.download_info;
  if (info?.url === undefined) throw setupError("the report of pip names no wheel");
  const { hash, hashes } = info.archive_info ?? {};
  const sha256 = hashes?.sha256 ?? hash?.replace(/^sha256=/, "") ?? null;
  return { url: info.url, name: wheelName(info.url), sha256 };
}

function parseReport(text: string): PipReport {
  try {
    return JSON.parse(text.slice(text.indexOf("{"))) as PipReport;
  } catch (cause) {
    throw setupError("the report of pip is not JSON", cause);
  }
}

/**
 * Let pip download a wheel into a folder, and give its path.
 *
 * Errors: `E_SETUP`, `E_ABORTED`.
 */
export async function downloadWithPip(
  python: string,
  folder: string,
  options: PipOptions,
): Promise<string> {
  await mkdir(folder, { recursive: true });
  const temporary = await mkdtemp(join(folder, "pip-"));
  try {
    const flags = ["--only-binary=:all:", "--dest", temporary];
    const result = await pip(python, "download", flags, options);
    const name = (await readdir(temporary)).find((file) => file.endsWith(".whl"));
    if (result.code !== 0 || name === undefined) {
      throw setupError(`pip cannot download it: ${complaint(result.stderr)}`);
    }
    await rename(join(temporary, name), join(folder, name));
    return join(folder, name);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

async function pip(
  python: string,
  verb: string,
  flags: readonly string[],
  { requirement, indexUrl, env, signal }: PipOptions,
) {
  const index = indexUrl === undefined ? [] : ["--index-url", indexUrl];
  const args = ["-m", "pip", verb, ...flags, "--no-deps", ...index, requirement];
  // Nothing is installed, so that the guard of a distribution's own Python need not stop it.
  const ownEnv = { ...env, PIP_BREAK_SYSTEM_PACKAGES: "1", PIP_DISABLE_PIP_VERSION_CHECK: "1" };
  return runProcess(python, args, { env: ownEnv, signal });
}

/** The decoded file name at the end of a URL or path. */
export function wheelName(url: string): string {
  return decodeURIComponent(url.replace(/[?#].*$/, "").replace(/^.*[/\\]/, ""));
}

/** The errors in what pip printed, without addresses, which may hold credentials. */
function complaint(stderr: string): string {
  const lines = stderr.split("\n").filter((line) => line.trim() !== "");
  const errors = lines.filter((line) => line.startsWith("ERROR"));
  const text = (errors.length > 0 ? errors : lines.slice(-2)).join(" ");
  return text.replace(/\w+:\/\/\S+/g, "<address>").slice(0, 600) || "it says nothing";
}

/** An `E_SETUP` that ends with the way to do it by hand. */
export function setupError(problem: string, cause?: unknown): MusicLDMError {
  const advice =
    "By hand: download the CPU wheel of that torch release for this platform (any Python 3) " +
    "and run `npx musicldm setup --wheel FILE`, or name an unpacked libtorch in MUSICLDM_LIBTORCH.";
  return new MusicLDMError("E_SETUP", `Expected to obtain libtorch but ${problem}. ${advice}`, {
    cause,
  });
}
