import type { Command } from "commander";
import type { VerifyCheck, VerifyReport } from "../clap/verify/report.js";
import { addClapMachine, openClap } from "./clap-model.js";
import type { ClapFlags } from "./clap-model.js";
import { exitCodes } from "./failure.js";
import { createProgress } from "./progress.js";
import { print, printJson } from "./session.js";
import type { Session } from "./session.js";

const notes = `
Looks for weights that are damaged, a tower that gives everything the same embedding, a mel front
end other than the one of the training, and weights that a conversion has put in wrong places.
Checks marked "?" cannot be judged for these weights. A model that passes can still be a bad one.

Exit code 0 means that no check failed, 1 that one did.

Examples:
  $ musicldm verify ./clap
  $ musicldm verify ./clap --json | jq '.checks[] | select(.ok == false)'`;

/** Declare `verify`. */
export function addVerify(program: Command, session: Session): void {
  const command = program
    .command("verify")
    .summary("look for damage in a CLAP folder")
    .description("Check that a CLAP folder holds a working model, as far as that can be seen.")
    .argument("<model>", "CLAP folder, or MusicLDM folder with a whole CLAP");
  addClapMachine(command);
  command
    .addHelpText("after", notes)
    .action((model: string, flags: ClapFlags) => runVerify(model, flags, session));
}

async function runVerify(model: string, flags: ClapFlags, session: Session): Promise<void> {
  const progress = await createProgress(flags.quiet === true);
  const call = { signal: session.signal, onProgress: progress.report };
  const report = await verify(model, flags, call).finally(progress.stop);
  if (flags.json) await printJson(report);
  else await print(describe(report).join("\n"));
  if (!report.ok) process.exitCode = exitCodes.failed;
}

async function verify(
  model: string,
  flags: ClapFlags,
  call: Parameters<typeof openClap>[2],
): Promise<VerifyReport> {
  using clap = await openClap(model, flags, call);
  return await clap.verify(call);
}

function describe({ ok, isTrained, checks }: VerifyReport): readonly string[] {
  const failed = checks.filter((check) => check.ok === false).length;
  const weights = isTrained ? "The weights look trained." : "The weights look random.";
  const end = ok ? "Nothing is wrong that can be seen." : `Checks that failed: ${failed}.`;
  return [...checks.flatMap(describeCheck), `${weights} ${end}`];
}

function describeCheck({ name, ok, value, expected, hint }: VerifyCheck): readonly string[] {
  const mark = ok === null ? "?" : ok ? "✓" : "✗";
  const line = `${mark} ${name}: ${value}`;
  return ok === false ? [line, `  expected ${expected}`, `  ${hint}`] : [line];
}
