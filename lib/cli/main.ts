#!/usr/bin/env node
import { buildProgram } from "./program.js";
import { reportFailure } from "./failure.js";
import { openSession } from "./session.js";

const session = openSession();
const isVerbose = process.argv.includes("--verbose") || Boolean(process.env["MUSICLDM_DEBUG"]);
try {
  await buildProgram(session).parseAsync(process.argv);
} catch (error) {
  const { interrupt } = session;
  process.exitCode = reportFailure(error, { verbose: isVerbose, interrupt });
}
