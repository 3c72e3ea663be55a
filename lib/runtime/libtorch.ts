import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { MusicLDMError } from "./errors.js";
import { libtorchCache, supportedTorch } from "./paths.js";
import type { Environment } from "./paths.js";

export type LibtorchSource = "environment" | "cache" | "python";

/** What the addon was compiled with, and what the caller wants to do with libtorch. */
export interface LibtorchRequirement {
  /** `major.minor.patch`; a local suffix such as `+cpu` is ignored. */
  readonly version: string;
  readonly cxx11Abi: boolean;
  /** Ask for headers too, to compile against. */
  readonly headers?: boolean;
}

/** One folder that was looked at, and why it cannot be used if so. */
export interface LibtorchCandidate {
  readonly source: LibtorchSource;
  /** The folder that holds `lib/`. */
  readonly path: string;
  readonly version: string | null;
  readonly cxx11Abi: boolean | null;
  /** Whether the CUDA half lies beside the CPU half. */
  readonly cuda: boolean;
  readonly headers: boolean;
  readonly rejected: string | null;
  /** Whether the rejection is one of version or C++ ABI. */
  readonly mismatch: boolean;
}

/** What prebuilt addons need. */
export const defaultRequirement: LibtorchRequirement = { version: supportedTorch, cxx11Abi: true };

/**
 * Find the first usable libtorch: `MUSICLDM_LIBTORCH`, then the per-user cache, then an installed
 * Python torch. A wrong `MUSICLDM_LIBTORCH` is an error, never skipped.
 *
 * Errors: `E_LIBTORCH` when there is none, `E_LIBTORCH_ABI` when there are only other ones.
 */
export function findLibtorch(
  requirement: LibtorchRequirement = defaultRequirement,
  env: Environment = process.env,
): LibtorchCandidate {
  const seen: LibtorchCandidate[] = [];
  for (const candidate of candidates(requirement, env)) {
    if (candidate.rejected === null) return candidate;
    seen.push(candidate);
    if (candidate.source === "environment") break;
  }
  throw notFound(seen, requirement);
}

/** Describe every candidate, usable or not, in the order of preference. */
export function listCandidates(
  requirement: LibtorchRequirement = defaultRequirement,
  env: Environment = process.env,
): readonly LibtorchCandidate[] {
  return [...candidates(requirement, env)];
}

function* candidates(
  requirement: LibtorchRequirement,
  env: Environment,
): Generator<LibtorchCandidate> {
  const chosen = env["MUSICLDM_LIBTORCH"];
  if (chosen) yield inspectLibtorch("environment", resolve(chosen), requirement);
  const cached = libtorchCache(env, release(requirement.version));
  yield inspectLibtorch("cache", cached, requirement);
  for (const folder of pythonTorchFolders(env)) {
    yield inspectLibtorch("python", folder, requirement);
  }
}

/** Look into one folder that holds `lib/` or `torch/lib`. */
export function inspectLibtorch(
  source: LibtorchSource,
  folder: string,
  requirement: LibtorchRequirement = defaultRequirement,
): LibtorchCandidate {
  const path = torchFolder(folder);
  const has = (file: string): boolean => existsSync(join(path, file));
  const facts = {
    source,
    path,
    version: readVersion(path),
    cxx11Abi: readAbi(path),
    cuda: has(`lib/${libraryFile("torch_cuda")}`),
    headers: has("include/ATen/ATen.h"),
  };
  return { ...facts, ...judge(facts, requirement) };
}

type Facts = Omit<LibtorchCandidate, "rejected" | "mismatch">;

function judge(
  facts: Facts,
  requirement: LibtorchRequirement,
): Pick<LibtorchCandidate, "rejected" | "mismatch"> {
  const no = (rejected: string, mismatch = false) => ({ rejected, mismatch });
  if (!existsSync(facts.path)) return no("no such folder");
  const missing = ["c10", "torch_cpu"]
    .map(libraryFile)
    .filter((file) => !existsSync(join(facts.path, "lib", file)));
  if (missing.length > 0) return no(`no ${missing.join(" and no ")} under lib/ or torch/lib/`);
  if (facts.version === null) return no("no version in version.py or build-version");
  if (release(facts.version) !== release(requirement.version)) {
    return no(`version ${facts.version}, not ${release(requirement.version)}`, true);
  }
  if (facts.cxx11Abi !== null && facts.cxx11Abi !== requirement.cxx11Abi) {
    return no(`${abiName(facts.cxx11Abi)}, not the ${abiName(requirement.cxx11Abi)}`, true);
  }
  if (requirement.headers === true && !facts.headers) return no("no headers under include/");
  return { rejected: null, mismatch: false };
}

function notFound(
  seen: readonly LibtorchCandidate[],
  requirement: LibtorchRequirement,
): MusicLDMError {
  const abi = abiName(requirement.cxx11Abi);
  const wanted = `libtorch ${release(requirement.version)} with the ${abi}`;
  const lines = seen.map(({ source, path, rejected }) => `  ${label(source)} ${path}: ${rejected}`);
  const first = seen[0];
  const advice =
    first?.source === "environment"
      ? "Correct or unset MUSICLDM_LIBTORCH."
      : "Run `npx musicldm setup` to obtain it, or name its folder in MUSICLDM_LIBTORCH.";
  const code = seen.some(({ mismatch }) => mismatch) ? "E_LIBTORCH_ABI" : "E_LIBTORCH";
  const message = [`Expected ${wanted} but found none it can be loaded from:`, ...lines, advice];
  return new MusicLDMError(code, message.join("\n"), { candidates: seen, wanted: requirement });
}

function label(source: LibtorchSource): string {
  if (source === "environment") return "MUSICLDM_LIBTORCH";
  return source === "cache" ? "folder of setup" : "Python torch";
}

function abiName(cxx11: boolean): string {
  return cxx11 ? "C++11 ABI" : "pre-C++11 ABI";
}

/** Cut the local suffix of a version: `2.13.0+cpu` → `2.13.0`. */
export function release(version: string): string {
  return version.replace(/\+.*$/, "");
}

/** The file name of a shared library on this platform. */
export function libraryFile(name: string): string {
  if (process.platform === "win32") return `${name}.dll`;
  return `lib${name}${process.platform === "darwin" ? ".dylib" : ".so"}`;
}

function torchFolder(folder: string): string {
  if (existsSync(join(folder, "torch", "lib"))) return join(folder, "torch");
  return basename(folder) === "lib" && !existsSync(join(folder, "lib")) ? dirname(folder) : folder;
}

function readVersion(path: string): string | null {
  const python = readText(join(path, "version.py"))?.match(/__version__\s*=\s*['"]([^'"]+)['"]/);
  return python?.[1] ?? readText(join(path, "build-version"))?.trim() ?? null;
}

/** Read the ABI off the symbols of `c10::Error`, whose constructors take a `std::string`. */
function readAbi(path: string): boolean | null {
  try {
    const bytes = readFileSync(join(path, "lib", libraryFile("c10")));
    if (bytes.includes("NS_14SourceLocationENSt7__cxx1112basic_string")) return true;
    return bytes.includes("NS_14SourceLocationESs") ? false : null;
  } catch {
    return null;
  }
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}

const findSpec =
  "import importlib.util as u; s = u.find_spec('torch'); " +
  "print(s.submodule_search_locations[0] if s and s.submodule_search_locations else '')";

/** The Python programs to ask, the active virtual environment first. */
export function pythonPrograms(env: Environment = process.env): readonly string[] {
  const active = env["VIRTUAL_ENV"];
  const folder = process.platform === "win32" ? "Scripts" : "bin";
  return [...(active ? [join(active, folder, "python")] : []), "python3", "python"];
}

function pythonTorchFolders(env: Environment): readonly string[] {
  const folders = new Set<string>();
  for (const program of pythonPrograms(env)) {
    const { status, stdout } = spawnSync(program, ["-c", findSpec], {
      encoding: "utf8",
      env: { ...env },
      timeout: 20_000,
      stdio: ["ignore", "pipe", "ignore"],
    });
    const folder = status === 0 ? stdout.trim() : "";
    if (folder !== "" && existsSync(folder)) folders.add(realpathSync(folder));
  }
  return [...folders];
}
