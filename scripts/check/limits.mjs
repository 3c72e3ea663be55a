// Size limits of every language: columns and lines here for all files, functions and parameters
// here for C++ and Python. ESLint counts those of TypeScript.
import { functions as cppFunctions } from "./cpp.mjs";
import { read, report, sourceFiles } from "./files.mjs";
import { functions as pythonFunctions } from "./python.mjs";

const limits = { fileLines: 400, functionLines: 60, parameters: 5, columns: 100 };

const cpp = [".cc", ".h", ".cu", ".cuh"];
const others = [".ts", ".mjs", ".js", ".py", ".sh", ".css", ".html", "CMakeLists.txt", ".cmake"];

function fileProblems(name, source) {
  const lines = source.replace(/\n$/, "").split("\n");
  const wide = lines.flatMap((line, i) =>
    [...line].length > limits.columns
      ? [`${name}:${i + 1}: ${[...line].length} columns, at most ${limits.columns}`]
      : [],
  );
  if (lines.length <= limits.fileLines) return wide;
  return [...wide, `${name}: ${lines.length} lines, at most ${limits.fileLines}`];
}

function functionProblems(name, functions) {
  return functions.flatMap(({ name: title, line, lines, parameters }) => {
    const place = `${name}:${line}: ${title}`;
    const long = `${place} has ${lines} lines, at most ${limits.functionLines}`;
    const many = `${place} has ${parameters} parameters, at most ${limits.parameters}`;
    return [
      ...(lines > limits.functionLines ? [long] : []),
      ...(parameters > limits.parameters ? [many] : []),
    ];
  });
}

const problems = sourceFiles(...cpp, ...others).flatMap((name) => {
  const source = read(name);
  const isCpp = cpp.some((extension) => name.endsWith(extension));
  const found = isCpp ? cppFunctions(source) : name.endsWith(".py") ? pythonFunctions(source) : [];
  return [...fileProblems(name, source), ...functionProblems(name, found)];
});
report("size limits", problems);
