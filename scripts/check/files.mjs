// The files that the checks look at: what git tracks or would track.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";

/** List the repository's files whose name ends in one of the extensions. */
export function sourceFiles(...extensions) {
  const args = ["ls-files", "--cached", "--others", "--exclude-standard", "-z"];
  const names = execFileSync("git", args, { encoding: "utf8" }).split("\0");
  const wanted = names.filter((name) => extensions.some((extension) => name.endsWith(extension)));
  return [...new Set(wanted)].filter((name) => existsSync(name)).sort();
}

/** Read a text file of the repository. */
export function read(name) {
  return readFileSync(name, "utf8");
}

/** Print the problems and make them the exit status. */
export function report(title, problems) {
  for (const problem of problems) console.log(problem);
  console.log(`${title}: ${problems.length === 0 ? "ok" : `${problems.length} problems`}`);
  process.exitCode = problems.length === 0 ? 0 : 1;
}
