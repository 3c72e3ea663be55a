// Builds the addon against a CUDA build of libtorch into build-cuda/ and reports with doctor.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { doctor } from "../lib/runtime/doctor.js";
import { inspectLibtorch } from "../lib/runtime/libtorch.js";
import { cacheRoot, packageRoot } from "../lib/runtime/paths.js";

const torch = "2.14.1";
const root = packageRoot();
const venv = join(cacheRoot(), `torch-${torch}-cuda`);
const requirement = { version: torch, cxx11Abi: true, headers: true };

function run(program: string, ...args: readonly string[]): void {
  const { status, error } = spawnSync(program, args, { cwd: root, stdio: "inherit" });
  if (status !== 0) throw new Error(`${program} failed: ${error?.message ?? `status ${status}`}`);
}

function findTorch(): string | undefined {
  const library = join(venv, "lib");
  if (!existsSync(library)) return undefined;
  return readdirSync(library)
    .map((python) => join(library, python, "site-packages", "torch"))
    .find((folder) => inspectLibtorch("python", folder, requirement).rejected === null);
}

function install(): string {
  run("python3", "-m", "venv", venv);
  run(join(venv, "bin", "python"), "-m", "pip", "install", "--quiet", `torch==${torch}`);
  const folder = findTorch();
  if (folder === undefined) throw new Error(`pip left no usable torch ${torch} in ${venv}`);
  return folder;
}

const libtorch = findTorch() ?? install();
run(
  "npx",
  "--no-install",
  "cmake-js",
  "build",
  "--out",
  "build-cuda",
  `--CDMUSICLDM_LIBTORCH=${libtorch}`,
);
process.env["MUSICLDM_ADDON"] = join(root, "build-cuda", "Release");
process.env["MUSICLDM_LIBTORCH"] = libtorch;
const report = await doctor();
process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
process.exitCode = report.ok && report.libtorch.version?.startsWith(torch) === true ? 0 : 1;
