// Runs every `check:*` script of package.json, two at a time, and shows all failures at the end.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";

const { scripts } = JSON.parse(readFileSync("package.json", "utf8"));
const waiting = Object.keys(scripts).filter((name) => name.startsWith("check:"));
const width = Math.max(...waiting.map((name) => name.length));

function run(name) {
  const started = Date.now();
  const child = spawn("npm", ["run", "--silent", name], { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => (output += chunk));
  }
  return new Promise((resolve) => {
    child.on("close", (code) => {
      const seconds = ((Date.now() - started) / 1000).toFixed(1);
      console.log(`${name.padEnd(width)}  ${code === 0 ? "ok" : "FAILED"}  ${seconds} s`);
      resolve({ name, code, output });
    });
  });
}

async function worker() {
  const results = [];
  for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
    results.push(await run(name));
  }
  return results;
}

const results = (await Promise.all([worker(), worker()])).flat();
const failures = results.filter(({ code }) => code !== 0);
for (const { name, output } of failures) console.log(`\n${name}\n${output.trimEnd()}`);
console.log(`\n${results.length - failures.length} checks passed, ${failures.length} failed`);
process.exitCode = failures.length === 0 ? 0 : 1;
