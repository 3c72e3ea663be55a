// Formats C++ with clang-format and Python with ruff; with --check says what is unformatted.
import { execFileSync, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { PositionEncoding, Workspace } from "@astral-sh/ruff-wasm-nodejs";
import { read, report, sourceFiles } from "./files.mjs";

const isCheck = process.argv.includes("--check");

function clangFormat(name) {
  return execFileSync("clang-format", [name], { encoding: "utf8", maxBuffer: 1 << 26 });
}

function formatted(name, format) {
  const source = read(name);
  const result = format(name, source);
  if (result === source) return [];
  if (isCheck) return [`${name}: not formatted`];
  writeFileSync(name, result);
  return [];
}

function pythonFormatter() {
  const options = { "line-length": 100 };
  const workspace = new Workspace(options, PositionEncoding.Utf16);
  return (name, source) => workspace.format(source);
}

const hasClangFormat = spawnSync("clang-format", ["--version"]).error === undefined;
const cpp = sourceFiles(".cc", ".h", ".cu", ".cuh");
const formatPython = pythonFormatter();
report("C++ and Python format", [
  ...(hasClangFormat
    ? cpp.flatMap((name) => formatted(name, clangFormat))
    : ["clang-format is missing: install the Debian package clang-format"]),
  ...sourceFiles(".py").flatMap((name) => formatted(name, formatPython)),
]);
