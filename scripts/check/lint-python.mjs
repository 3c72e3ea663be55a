// Lints the Python scripts with ruff.
import { PositionEncoding, Workspace } from "@astral-sh/ruff-wasm-nodejs";
import { read, report, sourceFiles } from "./files.mjs";

const select = ["A", "B", "E", "F", "SIM", "UP"];
const options = { "line-length": 100, "target-version": "py310", lint: { select } };
const workspace = new Workspace(options, PositionEncoding.Utf16);

report(
  "Python lint",
  sourceFiles(".py").flatMap((name) =>
    workspace.check(read(name)).map(({ code, message, start_location: { row } }) => {
      return `${name}:${row}: ${message}${code === null ? "" : ` (${code})`}`;
    }),
  ),
);
