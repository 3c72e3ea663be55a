import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import envPaths from "env-paths";

/** The release of libtorch that `musicldm setup` obtains and prebuilt addons are compiled with. */
export const supportedTorch = "2.13.0";

export type Environment = Readonly<Record<string, string | undefined>>;

/** The folder of this package, from `lib/` under tsx as well as from `dist/`. */
export function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "package.json")) && dirname(folder) !== folder) {
    folder = dirname(folder);
  }
  return folder;
}

/** The version of this package. */
export function packageVersion(): string {
  const manifest = readFileSync(join(packageRoot(), "package.json"), "utf8");
  return (JSON.parse(manifest) as { version: string }).version;
}

/** The per-user cache folder; `MUSICLDM_CACHE` names another one. */
export function cacheRoot(env: Environment = process.env): string {
  const chosen = env["MUSICLDM_CACHE"];
  return chosen ? resolve(chosen) : envPaths("musicldm", { suffix: "" }).cache;
}

/** Where setup puts libtorch: a folder that holds `torch/lib`. */
export function libtorchCache(env: Environment = process.env, version = supportedTorch): string {
  return join(cacheRoot(env), "libtorch", version);
}

/** Where setup keeps wheels and unfinished downloads. */
export function downloadCache(env: Environment = process.env): string {
  return join(cacheRoot(env), "downloads");
}

/** Bytes of all files under a folder; 0 for one that does not exist. */
export function folderBytes(folder: string): number {
  if (!existsSync(folder)) return 0;
  let bytes = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue;
    bytes += statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false })?.size ?? 0;
  }
  return bytes;
}
