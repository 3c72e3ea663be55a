import type { Command } from "commander";
import { createProgress } from "./progress.js";
import { print, printJson } from "./session.js";
import type { Session } from "./session.js";

interface SetupFlags {
  readonly wheel?: string;
  readonly indexUrl?: string;
  readonly python?: string;
  readonly force?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

const notes = `
Nothing is downloaded when a usable libtorch is there: the folder that MUSICLDM_LIBTORCH names, an
earlier setup, or the torch of an installed Python. Downloads can be interrupted and resumed.

Examples:
  $ musicldm setup
  $ musicldm setup --wheel ./torch.whl        install a wheel that was fetched by hand`;

/** Declare `setup`. */
export function addSetup(program: Command, session: Session): void {
  program
    .command("setup")
    .summary("obtain libtorch")
    .description("Find a usable libtorch, or obtain the CPU build through pip.")
    .option("--wheel <file>", "install this wheel in place of the one that pip chooses")
    .option("--index-url <url>", "package index that pip asks")
    .option("--python <program>", "Python whose pip is asked")
    .option("--force", "install even when a usable libtorch is there")
    .option("--json", "print one JSON document")
    .option("-q, --quiet", "print nothing but errors")
    .option("--verbose", "print stack traces")
    .addHelpText("after", notes)
    .action((flags: SetupFlags) => runSetup(flags, session));
}

async function runSetup(flags: SetupFlags, session: Session): Promise<void> {
  const { setup } = await import("../runtime/setup.js");
  const { wheel, indexUrl, python, force, quiet = false } = flags;
  const progress = await createProgress(quiet);
  const result = await setup({
    wheel,
    indexUrl,
    python,
    force,
    signal: session.signal,
    onProgress: progress.report,
  }).finally(progress.stop);
  if (flags.json) return printJson(result);
  if (quiet) return;
  for (const note of result.notes) await print(note);
  const { path, version } = result.libtorch;
  await print(`${result.installed ? "Installed" : "Found"} libtorch ${version} in ${path}`);
}
