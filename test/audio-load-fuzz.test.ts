import { spawn } from "node:child_process";
import { once } from "node:events";
import test from "ava";
import type { FuzzReport } from "./helpers/fuzz-worker.js";

test("10,000 mutated files give samples or E_AUDIO, and no crash or hang", async (t) => {
  const args = ["--import", "tsx", "test/helpers/fuzz-worker.ts", "0", "10000"];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  t.deepEqual(await once(child, "close"), [0, null]);
  const report = JSON.parse(output) as FuzzReport;
  t.log(`${report.decoded} decoded, ${report.refused} refused, ${report.lost.length} lost`);
  for (const line of report.lost) t.log(line);
  t.deepEqual(report.other, []);
  t.deepEqual(report.lost, []);
  t.is(report.decoded + report.refused, 10000);
});
